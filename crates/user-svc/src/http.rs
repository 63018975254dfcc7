//! Requests about users and their money: each is read strictly, handed to the store, and answered.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::{Amount, Money, OrderId, UserId};
use serde::Deserialize;
use serde_json::json;
use svc_chassis::http::{Body, Page, Query, id_in_path, page_of, resource};
use svc_chassis::idempotency::{IdempotencyKey, marked, once};
use svc_chassis::{Chassis, Error, Tx};

use crate::store::{self, NewUser};

/// The paths of user-svc.
pub(crate) fn routes(app: &mut web::ServiceConfig) {
    resource("/users").get(list).post(create).register(app);
    resource("/users/{userId}")
        .get(show)
        .put(create_as)
        .register(app);
    resource("/users/{userId}/balance")
        .get(balance)
        .register(app);
    resource("/users/{userId}/deposits")
        .post(deposit)
        .register(app);
    resource("/users/{userId}/holds").get(holds).register(app);
    resource("/users/{userId}/deactivate")
        .post(deactivate)
        .register(app);
    resource("/users/{userId}/activate")
        .post(activate)
        .register(app);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUserBody {
    username: Username,
    #[serde(default = "nothing")]
    balance: Money,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DepositBody {
    amount: Amount,
}

async fn list(
    Query(page): Query<Page>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let pages = page_of::<UserId>(page.limit, page.cursor.as_deref())?;
    let (after, limit) = (pages.after, pages.to_read());
    let users = chassis
        .readers
        .read(move |conn| store::users(conn, after, limit))
        .await?;
    Ok(HttpResponse::Ok().json(pages.answer("users", users, |user| user.id)))
}

async fn show(request: HttpRequest, chassis: web::Data<Chassis>) -> Result<HttpResponse, Error> {
    let id = id_in_path(&request, "userId")?;
    let user = chassis
        .readers
        .read(move |conn| store::user(conn, id))
        .await?;
    Ok(HttpResponse::Ok().json(user))
}

async fn balance(request: HttpRequest, chassis: web::Data<Chassis>) -> Result<HttpResponse, Error> {
    let id = id_in_path(&request, "userId")?;
    let user = chassis
        .readers
        .read(move |conn| store::user(conn, id))
        .await?;
    let answer = json!({ "userId": user.id, "balance": user.balance, "held": user.held });
    Ok(HttpResponse::Ok().json(answer))
}

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
    Ok(HttpResponse::Ok().json(pages.answer("holds", holds, |hold| hold.order_id)))
}

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

async fn deactivate(
    request: HttpRequest,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    set_active(&request, &chassis, false).await
}

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
