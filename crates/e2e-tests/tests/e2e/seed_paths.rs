//! The paths that a learner knows from the seed project, on order-svc.

use e2e_tests::{Sale, System};
use saga_events::{ItemId, Service, UserId};
use serde_json::{Value, json};

#[tokio::test]
async fn balance_inventory_orders_and_items_are_asked_of_order_svc() {
    let system = System::start().await;
    let (user, item) = (system.user(1_000).await, system.item(100, 9).await);
    let order = system
        .buy(Sale {
            user,
            item,
            quantity: 2,
        })
        .await;
    system.settled().await;
    let ask = async |path: String| system.at(Service::Order).get(&path).await.expect(200).body;

    let balance = ask(format!("/user/{user}/balance")).await;
    assert_eq!(balance, json!({"userId": user, "balance": 800, "held": 0}));

    let inventory = ask(format!("/user/{user}/inventory")).await;
    let stack = json!({"itemId": item, "name": "thing", "quantity": 2});
    let expected =
        json!({"userId": user, "capacity": 20, "used": 1, "held": 0, "inventory": [stack]});
    assert_eq!(inventory, expected);

    let orders = ask(format!("/user/{user}/orders")).await;
    assert_eq!(orders["userId"], json!(user));
    assert_eq!(
        orders["orders"],
        json!([ask(format!("/orders/{}", order.id)).await])
    );

    let items = ask("/items".to_owned()).await;
    let mut fields: Vec<_> = items["items"][0]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        ["description", "id", "name", "price", "stock", "withdrawn"]
    );
    assert_eq!(
        (&items["items"][0]["id"], &items["items"][0]["stock"]),
        (&json!(item), &json!(7))
    );

    let nobody = UserId::new();
    system
        .at(Service::Order)
        .get(&format!("/user/{nobody}/balance"))
        .await
        .expect(404);
}

#[tokio::test]
async fn a_service_that_is_away_is_a_clear_503_and_names_are_null() {
    let system = System::start().await;
    let (user, item) = (system.user(1_000).await, system.item(100, 9).await);
    system.buy(Sale::of(user, item)).await;
    system.settled().await;
    let order_svc = system.at(Service::Order);

    system.kill(Service::Item);
    let inventory = order_svc
        .get(&format!("/user/{user}/inventory"))
        .await
        .expect(200);
    assert_eq!(inventory.body["inventory"][0]["name"], Value::Null);
    let away = order_svc.get("/items").await.expect(503);
    assert!(
        away.body["detail"].as_str().unwrap().contains("item-svc"),
        "{}",
        away.body
    );
    assert!(!away.header("retry-after").is_empty());
    // The price of an item that was never asked for is not known.
    let unknown = Sale::of(user, ItemId::new());
    let answer = order_svc.post("/orders", &unknown.body()).await.expect(503);
    assert!(!answer.header("retry-after").is_empty());

    system.kill(Service::User);
    let away = order_svc
        .get(&format!("/user/{user}/balance"))
        .await
        .expect(503);
    assert!(
        away.body["detail"].as_str().unwrap().contains("user-svc"),
        "{}",
        away.body
    );
    system.restart(Service::Item).await;
    system.restart(Service::User).await;
    system.settled().await;
}

#[tokio::test]
async fn the_test_data_are_set_up_once_and_answered_as_they_are_today() {
    let system = System::start().await;
    let setup = async || {
        system
            .at(Service::Order)
            .post_empty("/setup-test-data")
            .await
            .expect(200)
    };

    let first = setup().await.body;
    assert_eq!(first["success"], true);
    let user: UserId = first["data"]["user"]["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(user.uuid().get_version_num(), 5);
    assert_eq!(first["data"]["user"]["username"], "testuser");
    assert_eq!(first["data"]["user"]["balance"], 50_000);
    let items = first["data"]["items"].as_array().unwrap().clone();
    let named: Vec<_> = items
        .iter()
        .map(|i| (&i["name"], &i["price"], &i["stock"]))
        .collect();
    let expected = [
        (&json!("마법검"), &json!(10_000), &json!(50)),
        (&json!("방패"), &json!(5_000), &json!(30)),
        (&json!("회복물약"), &json!(1_000), &json!(100)),
    ];
    assert_eq!(named, expected);
    assert_eq!(
        setup().await.body["data"],
        first["data"],
        "a second call changes nothing"
    );

    system.note_deposit(user, 50_000);
    let ids: Vec<ItemId> = items
        .iter()
        .map(|item| item["id"].as_str().unwrap().parse().unwrap())
        .collect();
    for (id, stock) in ids.iter().zip([50, 30, 100]) {
        system.note_supply(*id, stock);
    }
    let order = system
        .buy(Sale {
            user,
            item: ids[0],
            quantity: 2,
        })
        .await;
    assert!(order.is_completed());
    let today = setup().await.body;
    assert_eq!(today["data"]["user"]["balance"], 30_000);
    assert_eq!(today["data"]["items"][0]["stock"], 48);
    assert_eq!(today["data"]["items"][0]["id"], items[0]["id"]);
    system.settled().await;
}

#[tokio::test]
async fn without_the_demo_there_are_no_test_data_and_no_gateway_controls() {
    let system = System::with()
        .set_for_all("SAGA__DEMO", false)
        .start()
        .await;
    system
        .at(Service::Order)
        .post_empty("/setup-test-data")
        .await
        .expect(404);
    let gateway = system
        .at(Service::Payment)
        .get("/gateway")
        .await
        .expect(200)
        .body;
    system
        .at(Service::Payment)
        .put("/gateway", &gateway)
        .await
        .expect(404);
}

#[tokio::test]
async fn lists_of_orders_are_paged_and_filtered_newest_first() {
    let system = System::start().await;
    let (user, other) = (system.user(1_000).await, system.user(1_000).await);
    let item = system.item(100, 5).await;
    let mut made = Vec::new();
    for buyer in [user, user, user, other, user, user, user] {
        made.push(system.buy(Sale::of(buyer, item)).await);
    }
    system.settled().await;
    let ask = async |path: &str| system.at(Service::Order).get(path).await.expect(200).body;
    let ids = |page: &Value| {
        let orders = page["orders"].as_array().unwrap().iter();
        orders
            .map(|order| order["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let newest: Vec<_> = made
        .iter()
        .rev()
        .map(|order| order.id.to_string())
        .collect();

    let page = ask("/orders?limit=3").await;
    assert_eq!(ids(&page), newest[..3]);
    let cursor = page["nextCursor"].as_str().unwrap();
    let page = ask(&format!("/orders?limit=3&cursor={cursor}")).await;
    assert_eq!(ids(&page), newest[3..6]);
    let cursor = page["nextCursor"].as_str().unwrap();
    let page = ask(&format!("/orders?limit=3&cursor={cursor}")).await;
    assert_eq!(
        (ids(&page), page.get("nextCursor")),
        (newest[6..].to_vec(), None)
    );

    assert_eq!(
        ids(&ask(&format!("/orders?userId={other}")).await),
        [made[3].id.to_string()]
    );
    assert_eq!(
        ids(&ask("/orders?status=CANCELLED").await).len(),
        2,
        "stock was for five"
    );
    assert_eq!(ids(&ask("/orders?status=COMPLETED").await).len(), 5);
    assert!(ids(&ask("/orders?olderThan=1h").await).is_empty());
    assert_eq!(ids(&ask(&format!("/user/{user}/orders")).await).len(), 6);
}
