//! The audit is tried itself: whatever is planted into the services' files, it must find and name,
//! in the files and in the running system; and where nothing is planted it must find nothing.

mod alarms;
mod exits;
mod plants;

use std::path::Path;

use e2e_tests::{File, Sale, System};
use saga_events::{ItemId, OrderId, Service, UserId};
use serde_json::{Value, json};

use plants::{Named, PLANTS, Plant};

/// A system with a completed and a declined purchase, and nothing under way.
struct Scene {
    system: System,
    user: UserId,
    item: ItemId,
    completed: OrderId,
    declined: OrderId,
}

impl Scene {
    async fn set() -> Self {
        let system = System::start().await;
        let (user, item) = (system.user(1_000).await, system.item(100, 10).await);
        let sale = Sale::of(user, item);
        let completed = system
            .buy(Sale {
                quantity: 2,
                ..sale
            })
            .await
            .id;
        system.set_gateway(json!({"approvalRate": 0})).await;
        let declined = system.buy(sale).await.id;
        system.until_closed().await;
        system.settled().await;
        Self {
            system,
            user,
            item,
            completed,
            declined,
        }
    }

    /// The statement with the scene's ids in it.
    fn sql(&self, plant: &Plant) -> String {
        let hex = |id: uuid::Uuid| format!("x'{}'", id.simple());
        plant
            .sql
            .replace("USER", &hex(self.user.uuid()))
            .replace("ITEM", &hex(self.item.uuid()))
            .replace("COMPLETED_ORDER", &hex(self.completed.uuid()))
            .replace("DECLINED_ORDER", &hex(self.declined.uuid()))
            .replace("STRANGER", &hex(uuid::Uuid::now_v7()))
    }

    /// Holds the audit to have found the plant: by one of its laws, with both sides, and by name.
    fn assert_found(&self, plant: &Plant, audit: &Value) {
        let name = match plant.names {
            Named::User => self.user.to_string(),
            Named::Item => self.item.to_string(),
            Named::Completed => self.completed.to_string(),
            Named::Declined => self.declined.to_string(),
            Named::Somebody => String::new(),
        };
        let checks = audit["checks"].as_array().unwrap();
        let violated = checks.iter().filter(|check| check["state"] == "violated");
        let found: Vec<&Value> = violated.collect();
        let tells = |check: &&&Value| {
            let is_named = check["orders"].to_string().contains(&name)
                || check["subject"]
                    .as_str()
                    .unwrap_or_default()
                    .contains(&name);
            let has_sides = ["left", "right"]
                .iter()
                .all(|side| check[side].as_array().is_some_and(|side| !side.is_empty()));
            check["id"] == plant.law && is_named && has_sides
        };
        let what = plant.what;
        assert!(
            found.iter().any(|check| tells(&check)),
            "{what}: no {} that names {name} in {found:#?}",
            plant.law
        );
        assert_eq!(audit["ok"], false, "{what}");
    }
}

/// Runs a statement that the file's own checks would refuse.
fn run(file: &File, sql: &str) {
    let off = "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;";
    file.run(&format!("{off} {sql}"));
}

/// Where a service's file, or the gateway's book, lies in a folder.
fn file_in(folder: &Path, plant: &Plant) -> File {
    File::at(match plant.at {
        Some(service) => folder.join(format!("{service}.db")),
        None => folder.join("gateway.db"),
    })
}

#[tokio::test]
async fn whatever_is_planted_in_the_files_is_found_and_named() {
    let scene = Scene::set().await;
    for service in Service::ALL {
        scene.system.terminate(service).await;
    }
    let folder = scene.system.folder();
    let audit = |folder: &Path| {
        let folder = folder.to_str().unwrap();
        scene
            .system
            .sagactl(&["audit", "--json", "--files", folder])
    };
    let clean = audit(folder).expect(0).json();
    assert_eq!(
        (&clean["ok"], &clean["quiet"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(clean["purchases"], 2);
    for plant in PLANTS.iter().filter(|plant| plant.in_files) {
        let copy = tempfile::tempdir().unwrap();
        for entry in folder.read_dir().unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if name.contains(".db") {
                std::fs::copy(entry.path(), copy.path().join(name)).unwrap();
            }
        }
        run(&file_in(copy.path(), plant), &scene.sql(plant));
        let told = audit(copy.path());
        assert_eq!(told.code, 1, "{}: {}{}", plant.what, told.out, told.err);
        scene.assert_found(plant, &told.json());
    }
    assert_eq!(audit(folder).expect(0).json()["checks"], clean["checks"]);
}

#[tokio::test]
async fn whatever_is_planted_in_the_running_system_is_found_and_named() {
    let scene = Scene::set().await;
    let audit = || scene.system.sagactl(&["audit", "--json"]);
    audit().expect(0);
    for plant in PLANTS {
        let file = file_in(scene.system.folder(), plant);
        let backup = tempfile::tempdir().unwrap();
        let copy = backup.path().join("before.db");
        file.run(&format!("VACUUM INTO '{}'", copy.display()));
        run(&file, &scene.sql(plant));
        let told = audit();
        assert_eq!(told.code, 1, "{}: {}{}", plant.what, told.out, told.err);
        scene.assert_found(plant, &told.json());
        let table = plant.table;
        let restore = format!(
            "ATTACH '{}' AS before; BEGIN; DELETE FROM main.{table};
             INSERT INTO main.{table} SELECT * FROM before.{table}; COMMIT",
            copy.display()
        );
        run(&file, &restore);
    }
    let clean = audit().expect(0).json();
    assert_eq!(clean["quiet"], true, "all is as it was");
}
