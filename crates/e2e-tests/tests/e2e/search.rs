//! `GET /orders?q=…`: purchases are found by what people know of them.

use e2e_tests::{Sale, System};
use reqwest::Method;
use saga_events::{ItemId, OrderId, Service, UserId};
use serde_json::{Value, json};

struct Shop {
    system: System,
    kim: UserId,
    sword: ItemId,
    /// kim's sword, lee's sword, kim's potion, which the gateway declined.
    orders: [OrderId; 3],
}

impl Shop {
    async fn open() -> Self {
        let system = System::start().await;
        let named = async |service, path: &str, body: Value| -> String {
            system
                .at(service)
                .post(path, &body)
                .await
                .expect(201)
                .field("id")
        };
        let user = async |name: &str| -> UserId {
            let body = json!({"username": name, "balance": 1_000});
            named(Service::User, "/users", body).await.parse().unwrap()
        };
        let item = async |name: &str| -> ItemId {
            let body = json!({"name": name, "price": 10, "stock": 10});
            named(Service::Item, "/items", body).await.parse().unwrap()
        };
        let (kim, lee) = (user("김 & Kim").await, user("lee").await);
        let (sword, potion) = (item("마법검 Sword").await, item("Potion").await);
        let first = system.buy(Sale::of(kim, sword)).await.id;
        let second = system.buy(Sale::of(lee, sword)).await.id;
        system.set_gateway(json!({"approvalRate": 0})).await;
        let third = system.buy(Sale::of(kim, potion)).await.id;
        let orders = [first, second, third];
        Self {
            system,
            kim,
            sword,
            orders,
        }
    }

    /// What is listed, newest first.
    async fn list(&self, fields: &[(&str, &str)]) -> Vec<Value> {
        let door = self.system.at(Service::Order);
        let query: Vec<String> = fields
            .iter()
            .map(|(name, value)| {
                let value: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
                format!("{name}={value}")
            })
            .collect();
        let path = format!("/orders?{}", query.join("&"));
        let answer = door
            .send(door.request(Method::GET, &path))
            .await
            .expect(200);
        answer.field("orders")
    }

    /// Which of the three are found.
    async fn check(&self, fields: &[(&str, &str)], expected: &[usize]) {
        let found = self.list(fields).await;
        let expected: Vec<Value> = expected.iter().map(|at| json!(self.orders[*at])).collect();
        let ids: Vec<Value> = found.iter().map(|order| order["id"].clone()).collect();
        assert_eq!(ids, expected, "{fields:?}");
    }
}

#[tokio::test]
async fn purchases_are_found_by_what_people_know_of_them() {
    let shop = Shop::open().await;
    let [first, _, third] = shop.orders.map(|id| id.to_string());
    for (q, expected) in [
        (first.as_str(), &[0][..]),
        (&first.to_uppercase(), &[0]),
        (&third[..35], &[2]),
        (&shop.kim.to_string(), &[2, 0]),
        (&shop.sword.to_string(), &[1, 0]),
        ("김 & Kim", &[2, 0]),
        ("lee", &[1]),
        ("Le", &[]),
        ("마법", &[1, 0]),
        ("sWORD", &[1, 0]),
        ("payment_declined", &[2]),
        ("completed", &[1, 0]),
        ("0198ab", &[]),
        ("nobody knows", &[]),
        (&OrderId::new().to_string(), &[]),
    ] {
        shop.check(&[("q", q)], expected).await;
    }
    let (kim, sword) = (shop.kim.to_string(), shop.sword.to_string());
    shop.check(&[("itemId", &sword)], &[1, 0]).await;
    shop.check(&[("itemId", &sword), ("userId", &kim)], &[0])
        .await;
    shop.check(&[("reasonCode", "PAYMENT_DECLINED")], &[2])
        .await;
    shop.check(&[("q", "lee"), ("userId", &kim)], &[]).await;
    shop.check(&[("q", "sword"), ("status", "CANCELLED")], &[])
        .await;
    let door = shop.system.at(Service::Order);
    let wrong = door.get("/orders?reasonCode=BAD_LUCK").await.expect(400);
    assert_eq!(wrong.body["errors"][0]["field"], "reasonCode");
    let wrong = door.get("/orders?q=").await.expect(422);
    assert_eq!(wrong.body["errors"][0]["field"], "q");
}

#[tokio::test]
async fn rows_have_names_as_far_as_their_owners_answer() {
    let shop = Shop::open().await;
    let plain = shop.list(&[]).await;
    assert!(plain[0].get("username").is_none());
    let named = shop.list(&[("names", "true")]).await;
    assert_eq!(
        (&named[1]["username"], &named[1]["itemName"]),
        (&json!("lee"), &json!("마법검 Sword"))
    );
    shop.system.kill(Service::User);
    // What is known stays known; a new name cannot be asked for, and nobody can be looked for.
    assert_eq!(shop.list(&[("names", "true")]).await[1]["username"], "lee");
    let door = shop.system.at(Service::Order);
    let away = door.get("/orders?q=somebody").await.expect(503);
    assert!(
        away.body["detail"].as_str().unwrap().contains("user-svc"),
        "{}",
        away.body
    );
    shop.check(&[("q", "potion")], &[2]).await;
    shop.system.restart(Service::User).await;
}
