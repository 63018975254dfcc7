//! The JSON Schema of each event's `data`, in `schemas/`, is the one that the types have. `UPDATE=1`
//! writes the files anew.
#![cfg(feature = "schema")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use saga_events::{EventType, SCHEMA_VERSION, schema};

fn path_of(event_type: EventType) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas");
    folder.join(format!("{event_type}.{SCHEMA_VERSION}.json"))
}

#[test]
fn every_event_has_its_schema_as_a_file() {
    for event_type in EventType::ALL {
        let path = path_of(*event_type);
        let generated = serde_json::to_string_pretty(&schema::of(*event_type)).unwrap() + "\n";
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &generated).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        assert_eq!(
            stored, generated,
            "{path:?}: run with UPDATE=1, and read the difference"
        );
    }
}

#[test]
fn there_is_no_schema_without_an_event() {
    for file in path_of(EventType::OrderCreated)
        .parent()
        .unwrap()
        .read_dir()
        .unwrap()
    {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let of_this = |event_type: &EventType| name.starts_with(&format!("{event_type}."));
        assert!(EventType::ALL.iter().any(of_this), "{path:?}");
    }
}
