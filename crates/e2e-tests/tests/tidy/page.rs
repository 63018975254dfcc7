//! The page's own files: both languages say all of it, and nothing in them is anybody else's.

use std::collections::BTreeMap;
use std::path::PathBuf;

use saga_model::Shortcut;
use serde_json::Value;

use crate::{assert_none, files_below, files_ending, read};

const UI: &str = "crates/order-svc/ui";
const LANGUAGES: [&str; 2] = ["en", "ko"];
/// What a browser has to fetch before the page is there, all in all.
const MOST_BYTES: u64 = 100 * 1024;

/// A table of texts by key: an entry a line, `'key': 'text',`.
fn table(language: &str) -> BTreeMap<String, String> {
    let path = format!("{UI}/text/{language}.js");
    let text = read(&path);
    let lines = text.lines().skip_while(|line| *line != "export default {");
    let lines = lines.skip(1).take_while(|line| *line != "};");
    let entries = lines.filter(|line| !line.trim_start().starts_with("//") && !line.is_empty());
    let entry = |line: &str| {
        let entry = line.trim().strip_suffix(',')?;
        let (key, text) = entry.split_once(": ")?;
        let quoted = |text: &str| Some(text.strip_prefix('\'')?.strip_suffix('\'')?.to_owned());
        Some((quoted(key).unwrap_or_else(|| key.to_owned()), quoted(text)?))
    };
    let mut table = BTreeMap::new();
    for line in entries {
        let (key, text) = entry(line).unwrap_or_else(|| panic!("{path}: {line}"));
        assert!(table.insert(key, text).is_none(), "{path}: twice: {line}");
    }
    table
}

/// Everything between braces: what a text is completed with.
fn blanks(text: &str) -> Vec<&str> {
    let parts = text.split('{').skip(1);
    let mut blanks: Vec<_> = parts.filter_map(|part| part.split('}').next()).collect();
    blanks.sort_unstable();
    blanks.dedup();
    blanks
}

#[test]
fn both_languages_say_the_same() {
    let [english, korean] = LANGUAGES.map(table);
    let mut found = Vec::new();
    for (key, text) in &english {
        match korean.get(key) {
            None => found.push(format!("{key} is not in Korean")),
            Some(other) if blanks(other) != blanks(text) => {
                found.push(format!("{key}: {text:?} and {other:?} have other blanks"));
            }
            Some(_) => {}
        }
    }
    let only_korean = korean.keys().filter(|key| !english.contains_key(*key));
    found.extend(only_korean.map(|key| format!("{key} is not in English")));
    let empty = |(key, text): (&String, &String)| text.trim().is_empty().then(|| key.clone());
    found.extend(english.iter().chain(&korean).filter_map(empty));
    assert_none("texts of the page", found);
}

/// The values that a schema of an OpenAPI document allows.
fn values(document: &str, schema: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(&read(document)).unwrap();
    let values = document["components"]["schemas"][schema]["enum"].as_array();
    let values = values.unwrap_or_else(|| panic!("{schema} has no values"));
    let value = |value: &Value| value.as_str().unwrap().to_owned();
    values.iter().map(value).collect()
}

/// The values come from where the code's own are: a new one cannot be forgotten.
#[test]
fn whatever_comes_off_the_wire_has_a_text() {
    let own = "crates/order-svc/openapi.json";
    let shared = "crates/svc-chassis/openapi.json";
    let causes = values(own, "Cause");
    let texts = [
        ("cell.", "", values(own, "CellState")),
        ("effect.", "", values(own, "Effect")),
        ("cause.", "", causes.clone()),
        ("cause.", ".helps", causes.clone()),
        ("cause.short.", "", causes),
        ("audit.", "", values(own, "CheckState")),
        ("dead.reason.", "", values(shared, "DeadLetterReason")),
        (
            "shortcut.",
            "",
            Shortcut::ALL.iter().map(ToString::to_string).collect(),
        ),
    ];
    for language in LANGUAGES {
        let table = table(language);
        let mut missing = Vec::new();
        for (before, after, values) in &texts {
            let keys = values.iter().map(|value| format!("{before}{value}{after}"));
            missing.extend(keys.filter(|key| !table.contains_key(key)));
        }
        assert_none(&format!("texts that {language}.js lacks"), missing);
    }
}

fn scripts() -> impl Iterator<Item = (PathBuf, String)> {
    let ours = files_ending(".js").into_iter();
    let ours = ours.filter(|path| path.starts_with(UI) && path.parent().unwrap().ends_with("ui"));
    ours.map(|path| (path.clone(), read(path)))
}

/// Keys that are asked for whole, `t('key')`, and beginnings of those that are put together, `t(`key.${`.
#[test]
fn every_text_is_used_and_every_text_that_is_used_is_there() {
    let table = table("en");
    let mut code = String::new();
    let mut found = Vec::new();
    for (path, script) in scripts() {
        for asked in script.split("t('").skip(1) {
            // `get('…')` and the like end in t, too.
            let key = asked.split('\'').next().unwrap();
            let before = script[..script.find(&format!("t('{key}'")).unwrap()]
                .chars()
                .last();
            let is_call = before.is_none_or(|before| !before.is_alphanumeric());
            if is_call && !table.contains_key(key) {
                found.push(format!("{}: t('{key}')", path.display()));
            }
        }
        code.push_str(&script);
    }
    let beginnings: Vec<&str> = code
        .split('`')
        .filter_map(|part| part.split_once("${"))
        .map(|(beginning, _)| beginning)
        .filter(|beginning| beginning.ends_with('.'))
        .collect();
    let is_used = |key: &&String| {
        code.contains(&format!("'{key}'")) || beginnings.iter().any(|start| key.starts_with(start))
    };
    let unused = table.keys().filter(|key| !is_used(key));
    found.extend(unused.map(|key| format!("{key} is never shown")));
    assert_none("texts and where they are shown", found);
}

#[test]
fn the_page_is_small_and_asks_nobody_else() {
    let files = files_below(UI);
    let size = |path: &PathBuf| crate::root().join(path).metadata().unwrap().len();
    let bytes: u64 = files.iter().map(size).sum();
    assert!(bytes <= MOST_BYTES, "{bytes} bytes of assets");

    let forbidden = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "style=\"",
        "javascript:",
        "setAttribute('style'",
    ];
    // The name of a language of pictures, and this machine, in commands for a shell.
    let allowed = ["http://www.w3.org/2000/svg", "http://127.0.0.1:"];
    let mut found = Vec::new();
    for path in files {
        let text = read(&path);
        for (number, line) in text.lines().enumerate() {
            let names = allowed
                .iter()
                .fold(line.to_owned(), |line, own| line.replace(own, ""));
            let asks = ["http:", "https:", "ws:", "wss:"]
                .iter()
                .any(|scheme| names.contains(&format!("{scheme}//")));
            if asks || forbidden.iter().any(|word| line.contains(word)) {
                found.push(format!(
                    "{}:{}: {}",
                    path.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    assert_none("not in the page's files", found);
}

/// A module that nobody imports, a style that nobody links.
#[test]
fn every_file_of_the_page_is_loaded() {
    let all: String = files_below(UI).iter().map(read).collect();
    let found = files_below(UI).into_iter().filter(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_named = [format!("/{name}'"), format!("/{name}\"")];
        name != "index.html" && !is_named.iter().any(|named| all.contains(named))
    });
    let found = found.map(|path| path.display().to_string());
    assert_none("loaded by nobody", found.collect());
}
