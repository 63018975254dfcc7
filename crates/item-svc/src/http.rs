//! Requests to the catalogue: each is read strictly, handed to the store, and answered.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::{Amount, ItemId, MAX_MONEY, OutOfRange, Units};
use serde::{Deserialize, Deserializer, Serialize};
use svc_chassis::http::{Body, Problem, Query, Routes, id_in_path, ids_in, page_of, resource};
use svc_chassis::idempotency::{IdempotencyKey, KeyHeader, marked, once};
use svc_chassis::{Chassis, Error, Tx};
use utoipa::{IntoParams, ToSchema};

use crate::store::{self, CatalogueItem, Edit, NewItem};

/// The paths of item-svc.
pub(crate) fn routes(routes: &mut Routes<'_>) {
    resource("/items").get(list).post(create).register(routes);
    resource("/items/{itemId}")
        .get(show)
        .put(create_as)
        .patch(edit)
        .register(routes);
    resource("/items/{itemId}/restock")
        .post(restock)
        .register(routes);
    resource("/items/{itemId}/withdraw")
        .post(withdraw)
        .register(routes);
}

/// The paths of item-svc, for its document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(list, create, show, create_as, edit, restock, withdraw))]
pub(crate) struct Api;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewItem)]
struct NewItemBody {
    /// What people call it; no control characters.
    #[schema(value_type = String, min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    name: Text<1, 100>,
    /// More about it; no control characters.
    #[serde(default)]
    #[schema(value_type = String, min_length = 0, max_length = 1000, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    description: Text<0, 1000>,
    /// What one costs.
    price: Amount,
    /// How many there are.
    stock: Units,
}

/// What is not given stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ItemEdit)]
struct EditBody {
    /// What people call it; no control characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    name: Option<Text<1, 100>>,
    /// More about it; no control characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, nullable = false, min_length = 0, max_length = 1000, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    description: Option<Text<0, 1000>>,
    /// What one costs from now on.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    price: Option<Amount>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Restock)]
struct RestockBody {
    /// How many pieces come in.
    #[schema(value_type = i64, minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    quantity: Pieces,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Items {
    items: Vec<CatalogueItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// One of three: nothing, a page, or `ids` alone.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ItemsQuery {
    /// How many rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// The `nextCursor` of the page before.
    #[param(format = Uuid)]
    cursor: Option<String>,
    /// These items: at most 500 ids, separated by commas. One that does not exist is left out.
    ids: Option<String>,
}

/// The catalogue, in order of the items' ids
///
/// All of it, unless a page or some are asked for.
#[utoipa::path(
    get, path = "/items", operation_id = "listItems", tag = "items",
    params(ItemsQuery),
    responses((status = 200, description = "All items, a page of them, or those asked for", body = Items)),
)]
async fn list(
    Query(query): Query<ItemsQuery>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let ItemsQuery { limit, cursor, ids } = query;
    let (readers, is_page) = (&chassis.readers, limit.is_some() || cursor.is_some());
    let (items, next_cursor) = match ids {
        Some(_) if is_page => {
            return Err(Problem::malformed("ids", "goes with nothing else").into());
        }
        Some(ids) => {
            let ids = ids_in(&ids, "ids")?;
            (readers.read(|conn| store::items_of(conn, ids)).await?, None)
        }
        None if is_page => {
            let pages = page_of::<ItemId>(limit, cursor.as_deref())?;
            let (after, limit) = (pages.after, pages.to_read());
            let items = readers.read(move |conn| store::items(conn, after, Some(limit)));
            pages.cut(items.await?, |item| item.id)
        }
        // A shop window shows everything, unless the caller asks for less.
        None => (
            readers.read(|conn| store::items(conn, None, None)).await?,
            None,
        ),
    };
    Ok(HttpResponse::Ok().json(Items { items, next_cursor }))
}

/// An item
#[utoipa::path(
    get, path = "/items/{itemId}", operation_id = "getItem", tag = "items",
    params(("itemId" = ItemId, Path, description = "The item")),
    responses(
        (status = 200, description = "As it is now", body = CatalogueItem),
        (status = 404, description = "`ITEM_NOT_FOUND`"),
    ),
)]
async fn show(request: HttpRequest, chassis: web::Data<Chassis>) -> Result<HttpResponse, Error> {
    let id = id_in_path(&request, "itemId")?;
    let item = chassis
        .readers
        .read(move |conn| store::item(conn, id))
        .await?;
    Ok(HttpResponse::Ok().json(item))
}

/// Add an item
#[utoipa::path(
    post, path = "/items", operation_id = "createItem", tag = "items",
    params(KeyHeader),
    request_body = NewItemBody,
    responses(
        (status = 201, description = "The new item", body = CatalogueItem, headers(("Location" = String))),
        (status = 422, description = "A field is not acceptable, or the key was used with another body"),
    ),
)]
async fn create(
    request: HttpRequest,
    chassis: web::Data<Chassis>,
    body: Body<NewItemBody>,
) -> Result<HttpResponse, Error> {
    let key = IdempotencyKey::of(&request, "/items", &body.json)?;
    let new = NewItem::from(body.value);
    let make = move |tx: &mut Tx<'_>| {
        let id = ItemId::new();
        store::create(tx, id, &new).map(|_| id)
    };
    let (item, replayed) = chassis
        .writer
        .write(move |tx| {
            let (id, replayed) = once(tx, key.as_ref(), &make)?;
            Ok((store::item(tx.conn(), id)?, replayed))
        })
        .await?;
    let mut answer = HttpResponse::Created();
    answer.insert_header((LOCATION, format!("/items/{}", item.id)));
    Ok(marked(&mut answer, replayed).json(item))
}

/// Add an item under this id, unless there is one
#[utoipa::path(
    put, path = "/items/{itemId}", operation_id = "createItemAs", tag = "items",
    params(("itemId" = ItemId, Path, description = "The item")),
    request_body = NewItemBody,
    responses(
        (status = 200, description = "There was one, and it stays as it is", body = CatalogueItem),
        (status = 201, description = "The new item", body = CatalogueItem),
    ),
)]
async fn create_as(
    request: HttpRequest,
    chassis: web::Data<Chassis>,
    body: Body<NewItemBody>,
) -> Result<HttpResponse, Error> {
    let id = id_in_path(&request, "itemId")?;
    let new = NewItem::from(body.value);
    let (made, item) = chassis
        .writer
        .write(move |tx| Ok((store::create(tx, id, &new)?, store::item(tx.conn(), id)?)))
        .await?;
    let mut answer = if made {
        HttpResponse::Created()
    } else {
        HttpResponse::Ok()
    };
    Ok(answer.json(item))
}

/// Change what an item is called, or what it costs
#[utoipa::path(
    patch, path = "/items/{itemId}", operation_id = "editItem", tag = "items",
    params(("itemId" = ItemId, Path, description = "The item")),
    request_body = EditBody,
    responses(
        (status = 200, description = "The item", body = CatalogueItem),
        (status = 404, description = "`ITEM_NOT_FOUND`"),
    ),
)]
async fn edit(
    request: HttpRequest,
    chassis: web::Data<Chassis>,
    body: Body<EditBody>,
) -> Result<HttpResponse, Error> {
    let id = id_in_path(&request, "itemId")?;
    let edit = Edit::from(body.value);
    let item = chassis
        .writer
        .write(move |tx| store::edit(tx, id, &edit))
        .await?;
    Ok(HttpResponse::Ok().json(item))
}

/// Pieces come in
#[utoipa::path(
    post, path = "/items/{itemId}/restock", operation_id = "restockItem", tag = "items",
    params(("itemId" = ItemId, Path, description = "The item"), KeyHeader),
    request_body = RestockBody,
    responses(
        (status = 200, description = "The item", body = CatalogueItem),
        (status = 404, description = "`ITEM_NOT_FOUND`"),
        (status = 422, description = "A field is not acceptable, the stock would be too large, or the key was used with another body"),
    ),
)]
async fn restock(
    request: HttpRequest,
    chassis: web::Data<Chassis>,
    body: Body<RestockBody>,
) -> Result<HttpResponse, Error> {
    let id: ItemId = id_in_path(&request, "itemId")?;
    let key = IdempotencyKey::of(&request, &format!("/items/{id}/restock"), &body.json)?;
    let Pieces(quantity) = body.value.quantity;
    let (item, replayed) = chassis
        .writer
        .write(move |tx| {
            let (id, replayed) = once(tx, key.as_ref(), |tx| store::restock(tx, id, quantity))?;
            Ok((store::item(tx.conn(), id)?, replayed))
        })
        .await?;
    Ok(marked(&mut HttpResponse::Ok(), replayed).json(item))
}

/// Sell an item no more
#[utoipa::path(
    post, path = "/items/{itemId}/withdraw", operation_id = "withdrawItem", tag = "items",
    params(("itemId" = ItemId, Path, description = "The item")),
    responses(
        (status = 200, description = "The item", body = CatalogueItem),
        (status = 404, description = "`ITEM_NOT_FOUND`"),
    ),
)]
async fn withdraw(
    request: HttpRequest,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let id = id_in_path(&request, "itemId")?;
    let item = chassis
        .writer
        .write(move |tx| store::withdraw(tx, id))
        .await?;
    Ok(HttpResponse::Ok().json(item))
}

impl From<NewItemBody> for NewItem {
    fn from(body: NewItemBody) -> Self {
        let NewItemBody {
            name,
            description,
            price,
            stock,
        } = body;
        Self {
            name: name.0,
            description: description.0,
            price,
            stock,
        }
    }
}

impl From<EditBody> for Edit {
    fn from(body: EditBody) -> Self {
        let EditBody {
            name,
            description,
            price,
        } = body;
        Self {
            name: name.map(|text| text.0),
            description: description.map(|text| text.0),
            price,
        }
    }
}

/// Text of `MIN` to `MAX` characters, none of them a control character.
#[derive(Default, Deserialize)]
#[serde(try_from = "String")]
struct Text<const MIN: usize, const MAX: usize>(String);

impl<const MIN: usize, const MAX: usize> TryFrom<String> for Text<MIN, MAX> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if !(MIN..=MAX).contains(&text.chars().count()) {
            return Err(format!("must have {MIN} to {MAX} characters"));
        }
        if text.chars().any(char::is_control) {
            return Err("must not have control characters".to_owned());
        }
        Ok(Self(text))
    }
}

/// How many pieces come in: at least one.
#[derive(Deserialize)]
#[serde(try_from = "i64")]
struct Pieces(Units);

impl TryFrom<i64> for Pieces {
    type Error = OutOfRange;

    fn try_from(value: i64) -> Result<Self, OutOfRange> {
        match Units::new(value) {
            Ok(pieces) if pieces > Units::MIN => Ok(Self(pieces)),
            _ => Err(OutOfRange {
                value,
                min: 1,
                max: MAX_MONEY,
            }),
        }
    }
}

/// A field that may be absent, but not `null`: nothing of an item can be taken away.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(field: D) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}
