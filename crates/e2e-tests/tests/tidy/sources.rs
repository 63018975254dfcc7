//! Rules that no compiler keeps.

use std::path::Path;

use saga_events::Service;

use crate::{assert_none, files_below, files_ending, read, root};

/// Words are put together here, so that this file does not contain what it looks for.
macro_rules! word {
    ($($part:literal)*) => { concat!($($part),*) };
}

#[test]
fn every_saga_rs_is_pure() {
    let impure = [
        "std::io",
        "std::fs",
        "std::net",
        "std::env",
        "std::thread",
        "std::process",
        "SystemTime",
        "Instant",
        "::now(",
        "tokio",
        "reqwest",
        "actix",
        "redis",
        "rand::",
        "async ",
        ".await",
        "diesel::sqlite",
        "SqliteConnection",
        "RunQueryDsl",
        "println!",
        "tracing::",
        // A new id is a random one.
        "OrderId::new",
        "UserId::new",
        "ItemId::new",
        "NotificationId::new",
        "Uuid::",
    ];
    let mut found = Vec::new();
    for service in Service::ALL {
        let path = format!("crates/{service}/src/saga.rs");
        let code = code_of(&read(&path));
        for word in impure.iter().filter(|word| code.contains(*word)) {
            found.push(format!("{path}: {word}"));
        }
        let denies = "#![deny(clippy::wildcard_enum_match_arm)]";
        if !code.contains(denies) {
            found.push(format!("{path}: lacks {denies}"));
        }
    }
    assert_none("a step decides and does nothing else", found);
}

/// The code without comments and without its tests.
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn sql_is_only_in_the_store() {
    let mut found = Vec::new();
    for service in Service::ALL {
        for path in files_below(&format!("crates/{service}/src")) {
            let allowed = ["store", "schema", "book", "tests"];
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let in_store = path.components().any(|part| part.as_os_str() == "store");
            if allowed.contains(&stem) || in_store || path.extension().is_none_or(|end| end != "rs")
            {
                continue;
            }
            let code = code_of(&read(&path));
            let sql = [
                "sql_query",
                ".execute(",
                "insert_into",
                "diesel::update",
                ".filter(orders::",
            ];
            for word in sql.iter().filter(|word| code.contains(*word)) {
                found.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert_none("SQL outside of store.rs", found);
}

/// For an IN of three or more members SQLite builds a table in memory, at each row that it checks.
#[test]
fn no_check_costs_a_table() {
    let mut found = Vec::new();
    for path in files_ending("up.sql") {
        let text = read(&path);
        let lists = text.split(" IN (").skip(1);
        let lists = lists.filter_map(|list| list.split(')').next());
        let long = lists.filter(|list| list.split(',').count() > 2);
        found.extend(long.map(|list| format!("{}: IN ({list})", path.display())));
    }
    assert_none("a list in a CHECK is written as alternatives", found);
}

#[test]
fn every_service_has_the_same_set_of_files() {
    for service in Service::ALL {
        for file in [
            "src/main.rs",
            "src/lib.rs",
            "src/config.rs",
            "src/http.rs",
            "src/saga.rs",
            "src/store.rs",
            "src/store/audit.rs",
            "src/schema.rs",
            "migrations",
            "README.md",
        ] {
            let path = format!("crates/{service}/{file}");
            assert!(root().join(&path).exists(), "{path}");
        }
        let main = read(format!("crates/{service}/src/main.rs"))
            .lines()
            .count();
        assert!(main <= 20, "main.rs of {service} has {main} lines");
    }
}

#[test]
fn no_file_of_code_is_a_giant() {
    let giants = files_ending(".rs").into_iter().filter_map(|path| {
        let lines = read(&path).lines().count();
        (lines > 600).then(|| format!("{}: {lines} lines", path.display()))
    });
    assert_none(
        "a file about 300 lines, a reason beats a number, but not this one",
        giants.collect(),
    );
}

#[test]
fn the_words_are_the_fields_words() {
    // The event's name is the seed's; the thing is a compensation.
    let allowed_lines = [word!("no orchest" "rator"), "choreography vs"];
    let banned = [
        word!("orchest" "rat"),
        word!("exactly" " once"),
        word!("TO" "DO"),
        word!("FIX" "ME"),
    ];
    let mut found = Vec::new();
    for path in text_files() {
        for (number, line) in read(&path).lines().enumerate() {
            let lower = line.to_lowercase();
            let is_banned = banned.iter().any(|word| {
                if word.chars().all(char::is_uppercase) {
                    line.contains(word)
                } else {
                    lower.contains(word)
                }
            });
            if is_banned && !allowed_lines.iter().any(|allowed| lower.contains(allowed)) {
                found.push(format!(
                    "{}:{}: {}",
                    path.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    assert_none("words to keep out", found);
}

#[test]
fn no_file_is_called_after_nothing() {
    let vague = [
        word!("man" "ager"),
        word!("hand" "ler"),
        "util",
        "utils",
        "common",
        "helpers",
        "misc",
    ];
    let found = files_ending(".rs").into_iter().filter(|path| {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap();
        vague
            .iter()
            .any(|word| stem == *word || stem.starts_with(word!("process" "_")))
    });
    assert_none(
        "vague names",
        found.map(|path| path.display().to_string()).collect(),
    );
}

#[test]
fn no_file_names_somebodys_machine() {
    let paths = [
        word!("/ro" "ot/"),
        word!("/wo" "rk/"),
        word!("/ho" "me/"),
        word!("/Us" "ers/"),
    ];
    let mut found = Vec::new();
    for path in text_files() {
        for (number, line) in read(&path).lines().enumerate() {
            if paths.iter().any(|word| line.contains(word)) {
                found.push(format!(
                    "{}:{}: {}",
                    path.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    assert_none("paths of one machine", found);
}

#[test]
fn no_test_is_switched_off_and_none_is_called_test() {
    let mut found = Vec::new();
    for path in files_ending(".rs") {
        let text = read(&path);
        for word in [word!("#[ign" "ore"), word!("fn te" "st_")] {
            if text.contains(word) {
                found.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert_none("not here", found);
}

/// The compiler forbids it in every crate but one, and there in every file but one.
#[test]
fn one_file_only_is_not_safe() {
    let allowed = Path::new("crates/e2e-tests/tests/disk/vfs.rs");
    let mut found = Vec::new();
    for path in files_ending(".rs").iter().filter(|path| *path != allowed) {
        let words = [
            word!("un" "safe {"),
            word!("un" "safe fn"),
            word!("un" "safe impl"),
            word!("un" "safe_code"),
        ];
        let text = read(path);
        let words = words.into_iter().filter(|word| text.contains(word));
        found.extend(words.map(|word| format!("{}: {word}", path.display())));
    }
    let lints = |text: &str, table: &str| {
        let table = text.split(table).nth(1).unwrap_or_default();
        let lines = table
            .lines()
            .skip(1)
            .take_while(|line| !line.starts_with('['));
        lines
            .filter(|line| line.contains('='))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let workspace = read("Cargo.toml");
    for path in files_below("crates")
        .iter()
        .filter(|path| path.ends_with("Cargo.toml"))
    {
        let manifest = read(path);
        let is_workspaces = lints(&manifest, "[lints]") == ["workspace = true"];
        let is_its_own = path.starts_with("crates/e2e-tests")
            && ["rust]", "clippy]"].iter().all(|table| {
                let ours = lints(&workspace, &format!("[workspace.lints.{table}")).join("\n");
                lints(&manifest, &format!("[lints.{table}")).join("\n")
                    == ours.replace("forbid", "deny")
            });
        if !is_workspaces && !is_its_own {
            found.push(format!("{}: not the workspace's lints", path.display()));
        }
    }
    assert_none("safe everywhere but in one file", found);
}

#[test]
fn the_top_level_is_what_the_layout_says() {
    let known = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "crates",
        "deploy",
        "docker-compose.yml",
        "scripts",
    ];
    let made = ["target"];
    let unknown = root().read_dir().unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_known = known.contains(&&*name) || made.contains(&&*name);
        (!is_known && !name.starts_with('.') && !name.starts_with("LICENSE")).then_some(name)
    });
    assert_none("nothing else at the top", unknown.collect());
}

/// What people write: no lock file, nothing binary.
fn text_files() -> Vec<std::path::PathBuf> {
    let ends = ["rs", "md", "toml", "sql", "yml", "yaml", "conf", "sh", ""];
    let is_text = |path: &Path| {
        let end = path
            .extension()
            .and_then(|end| end.to_str())
            .unwrap_or_default();
        ends.contains(&end) && !path.to_str().unwrap().starts_with("LICENSE")
    };
    files_below("")
        .into_iter()
        .filter(|path| is_text(path))
        .collect()
}
