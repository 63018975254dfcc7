//! Requests about users and their money: each is read strictly, handed to the store, and answered.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::{Amount, Money, OrderId, UserId};
use serde::{Deserialize, Serialize};
use svc_chassis::http::{Body, Page, Query, Routes, id_in_path, page_of, resource};
use svc_chassis::idempotency::{IdempotencyKey, KeyHeader, marked, once};
use svc_chassis::{Chassis, Error, Tx};
use utoipa::{IntoParams, ToSchema};

use crate::store::{self, Deposit, NewUser, User, UserHold};

/// The paths of user-svc.
pub(crate) fn routes(routes: &mut Routes<'_>) {
    resource("/users").get(list).post(create).register(routes);
    resource("/users/{userId}")
        .get(show)
        .put(create_as)
        .register(routes);
    resource("/users/{userId}/balance")
        .get(balance)
        .register(routes);
    resource("/users/{userId}/deposits")
        .post(deposit)
        .register(routes);
    resource("/users/{userId}/holds")
        .get(holds)
        .register(routes);
    resource("/users/{userId}/deactivate")
        .post(deactivate)
        .register(routes);
    resource("/users/{userId}/activate")
        .post(activate)
        .register(routes);
}

/// The paths of user-svc, for its document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    list, create, show, create_as, balance, deposit, holds, deactivate, activate
))]
pub(crate) struct Api;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUser)]
struct NewUserBody {
    /// What people call it; need not be unique. No control characters.
    #[schema(value_type = String, min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    username: Username,
    /// Its first deposit; 0 unless given.
    #[serde(default = "nothing")]
    balance: Money,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewDeposit)]
struct DepositBody {
    amount: Amount,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Users {
    users: Vec<User>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct UsersQuery {
    /// Only those of exactly this name.
    username: Option<String>,
    /// How many rows, 1 to 100; 100 unless given.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// The `nextCursor` of the page before.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

/// Users, in order of their ids
#[utoipa::path(
    get, path = "/users", operation_id = "listUsers", tag = "users",
    params(UsersQuery),
    responses((status = 200, description = "A page of them", body = Users)),
)]
async fn list(
    Query(query): Query<UsersQuery>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let pages = page_of::<UserId>(query.limit, query.cursor.as_deref())?;
    let (after, limit) = (pages.after, pages.to_read());
    let users = chassis
        .readers
        .read(move |conn| store::users(conn, query.username.as_deref(), after, limit))
        .await?;
    let (users, next_cursor) = pages.cut(users, |user| user.id);
    Ok(HttpResponse::Ok().json(Users { users, next_cursor }))
}

/// A user
#[utoipa::path(
    get, path = "/users/{userId}", operation_id = "getUser", tag = "users",
    params(("userId" = UserId, Path, description = "The user")),
    responses(
        (status = 200, description = "As it is now", body = User),
        (status = 404, description = "`USER_NOT_FOUND`"),
    ),
)]
async fn show(request: HttpRequest, chassis: web::Data<Chassis>) -> Result<HttpResponse, Error> {
    let id = id_in_path(&request, "userId")?;
    let user = chassis
        .readers
        .read(move |conn| store::user(conn, id))
        .await?;
    Ok(HttpResponse::Ok().json(user))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Balance {
    user_id: UserId,
    /// Free to be spent.
    balance: Money,
    /// Held for purchases under way.
    held: Money,
}

/// A user's money
#[utoipa::path(
    get, path = "/users/{userId}/balance", operation_id = "getBalance", tag = "users",
    params(("userId" = UserId, Path, description = "The user")),
    responses(
        (status = 200, description = "As it is now", body = Balance),
        (status = 404, description = "`USER_NOT_FOUND`"),
    ),
)]
async fn balance(request: HttpRequest, chassis: web::Data<Chassis>) -> Result<HttpResponse, Error> {
    let id = id_in_path(&request, "userId")?;
    let user = chassis
        .readers
        .read(move |conn| store::user(conn, id))
        .await?;
    Ok(HttpResponse::Ok().json(Balance {
        user_id: user.id,
        balance: user.balance,
        held: user.held,
    }))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Holds {
    holds: Vec<UserHold>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// What is or was held for a user's purchases, in order of their ids
#[utoipa::path(
    get, path = "/users/{userId}/holds", operation_id = "listHolds", tag = "users",
    params(("userId" = UserId, Path, description = "The user"), Page),
    responses((status = 200, description = "A page of them", body = Holds)),
)]
async fn holds(
    request: HttpRequest,
    Query(page): Query<Page>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let id = id_in_path(&request, "userId")?;
    let pages = page_of::<OrderId>(page.limit, page.cursor.as_deref())?;
    let (after, limit) = (pages.after, pages.to_read());
    let holds = chassis
        .readers
        .read(move |conn| store::holds(conn, id, after, limit))
        .await?;
    let (holds, next_cursor) = pages.cut(holds, |hold| hold.order_id);
    Ok(HttpResponse::Ok().json(Holds { holds, next_cursor }))
}

/// Make a user
#[utoipa::path(
    post, path = "/users", operation_id = "createUser", tag = "users",
    params(KeyHeader),
    request_body = NewUserBody,
    responses(
        (status = 201, description = "The new user", body = User, headers(("Location" = String))),
        (status = 422, description = "A field is not acceptable, or the key was used with another body"),
    ),
)]
async fn create(
    request: HttpRequest,
    chassis: web::Data<Chassis>,
    body: Body<NewUserBody>,
) -> Result<HttpResponse, Error> {
    let key = IdempotencyKey::of(&request, "/users", &body.json)?;
    let new = NewUser::from(body.value);
    let make = move |tx: &mut Tx<'_>| {
        let id = UserId::new();
        store::create(tx, id, &new).map(|_| id)
    };
    let (user, replayed) = chassis
        .writer
        .write(move |tx| {
            let (id, replayed) = once(tx, key.as_ref(), &make)?;
            Ok((store::user(tx.conn(), id)?, replayed))
        })
        .await?;
    let mut answer = HttpResponse::Created();
    answer.insert_header((LOCATION, format!("/users/{}", user.id)));
    Ok(marked(&mut answer, replayed).json(user))
}

/// Make a user under this id, unless there is one
#[utoipa::path(
    put, path = "/users/{userId}", operation_id = "createUserAs", tag = "users",
    params(("userId" = UserId, Path, description = "The user")),
    request_body = NewUserBody,
    responses(
        (status = 200, description = "There was one, and it stays as it is", body = User),
        (status = 201, description = "The new user", body = User),
    ),
)]
async fn create_as(
    request: HttpRequest,
    chassis: web::Data<Chassis>,
    body: Body<NewUserBody>,
) -> Result<HttpResponse, Error> {
    let id = id_in_path(&request, "userId")?;
    let new = NewUser::from(body.value);
    let (made, user) = chassis
        .writer
        .write(move |tx| Ok((store::create(tx, id, &new)?, store::user(tx.conn(), id)?)))
        .await?;
    let mut answer = if made {
        HttpResponse::Created()
    } else {
        HttpResponse::Ok()
    };
    Ok(answer.json(user))
}

/// Add to a user's balance
#[utoipa::path(
    post, path = "/users/{userId}/deposits", operation_id = "deposit", tag = "users",
    params(("userId" = UserId, Path, description = "The user"), KeyHeader),
    request_body = DepositBody,
    responses(
        (status = 201, description = "It is there", body = Deposit),
        (status = 404, description = "`USER_NOT_FOUND`"),
        (status = 422, description = "A field is not acceptable, the balance would be too large, or the key was used with another body"),
    ),
)]
async fn deposit(
    request: HttpRequest,
    chassis: web::Data<Chassis>,
    body: Body<DepositBody>,
) -> Result<HttpResponse, Error> {
    let id: UserId = id_in_path(&request, "userId")?;
    let key = IdempotencyKey::of(&request, &format!("/users/{id}/deposits"), &body.json)?;
    let amount = body.value.amount;
    let (deposit, replayed) = chassis
        .writer
        .write(move |tx| {
            let (made, replayed) = once(tx, key.as_ref(), |tx| store::add(tx, id, amount))?;
            Ok((store::deposit(tx.conn(), made)?, replayed))
        })
        .await?;
    Ok(marked(&mut HttpResponse::Created(), replayed).json(deposit))
}

/// A user may not buy any more
#[utoipa::path(
    post, path = "/users/{userId}/deactivate", operation_id = "deactivateUser", tag = "users",
    params(("userId" = UserId, Path, description = "The user")),
    responses(
        (status = 200, description = "The user", body = User),
        (status = 404, description = "`USER_NOT_FOUND`"),
    ),
)]
async fn deactivate(
    request: HttpRequest,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    set_active(&request, &chassis, false).await
}

/// A user may buy again
#[utoipa::path(
    post, path = "/users/{userId}/activate", operation_id = "activateUser", tag = "users",
    params(("userId" = UserId, Path, description = "The user")),
    responses(
        (status = 200, description = "The user", body = User),
        (status = 404, description = "`USER_NOT_FOUND`"),
    ),
)]
async fn activate(
    request: HttpRequest,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    set_active(&request, &chassis, true).await
}

async fn set_active(
    request: &HttpRequest,
    chassis: &Chassis,
    active: bool,
) -> Result<HttpResponse, Error> {
    let id = id_in_path(request, "userId")?;
    let user = chassis
        .writer
        .write(move |tx| store::set_active(tx, id, active))
        .await?;
    Ok(HttpResponse::Ok().json(user))
}

impl From<NewUserBody> for NewUser {
    fn from(body: NewUserBody) -> Self {
        let NewUserBody { username, balance } = body;
        Self {
            username: username.0,
            balance,
        }
    }
}

/// A balance that is not given.
fn nothing() -> Money {
    Money::MIN
}

/// 1 to 100 characters, none of them a control character.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Username(String);

impl TryFrom<String> for Username {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, &'static str> {
        if !(1..=100).contains(&name.chars().count()) {
            return Err("must have 1 to 100 characters");
        }
        if name.chars().any(char::is_control) {
            return Err("must not have control characters");
        }
        Ok(Self(name))
    }
}
