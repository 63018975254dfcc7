//! Requests to the catalogue: each is read strictly, handed to the store, and answered.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::{Amount, ItemId, MAX_MONEY, OutOfRange, Units};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use svc_chassis::http::{Body, Page, Query, id_in_path, page_of, resource};
use svc_chassis::idempotency::{IdempotencyKey, marked, once};
use svc_chassis::{Chassis, Error, Tx};

use crate::store::{self, Edit, NewItem};

/// The paths of item-svc.
pub(crate) fn routes(app: &mut web::ServiceConfig) {
    resource("/items").get(list).post(create).register(app);
    resource("/items/{itemId}")
        .get(show)
        .put(create_as)
        .patch(edit)
        .register(app);
    resource("/items/{itemId}/restock")
        .post(restock)
        .register(app);
    resource("/items/{itemId}/withdraw")
        .post(withdraw)
        .register(app);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewItemBody {
    name: Text<1, 100>,
    #[serde(default)]
    description: Text<0, 1000>,
    price: Amount,
    stock: Units,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EditBody {
    #[serde(default, deserialize_with = "given")]
    name: Option<Text<1, 100>>,
    #[serde(default, deserialize_with = "given")]
    description: Option<Text<0, 1000>>,
    #[serde(default, deserialize_with = "given")]
    price: Option<Amount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RestockBody {
    quantity: Pieces,
}

async fn list(
    Query(page): Query<Page>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    // A shop window shows everything, unless the caller asks for pages.
    if page.limit.is_none() && page.cursor.is_none() {
        let items = chassis
            .readers
            .read(|conn| store::items(conn, None, None))
            .await?;
        return Ok(HttpResponse::Ok().json(json!({ "items": items })));
    }
    let pages = page_of::<ItemId>(page.limit, page.cursor.as_deref())?;
    let (after, limit) = (pages.after, pages.to_read());
    let items = chassis
        .readers
        .read(move |conn| store::items(conn, after, Some(limit)))
        .await?;
    Ok(HttpResponse::Ok().json(pages.answer("items", items, |item| item.id)))
}

async fn show(request: HttpRequest, chassis: web::Data<Chassis>) -> Result<HttpResponse, Error> {
    let id = id_in_path(&request, "itemId")?;
    let item = chassis
        .readers
        .read(move |conn| store::item(conn, id))
        .await?;
    Ok(HttpResponse::Ok().json(item))
}

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
