//! What a person does with a page, and what they see.

use std::fmt::Debug;

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::wd::WindowHandle;
use fantoccini::{Locator, key::Key};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Browser;
use crate::{PATIENCE, eventually};

impl Browser {
    /// Opens this path of the page, from the server.
    pub async fn open(&self, path: &str) {
        // A link within the page would load nothing.
        self.client.goto("about:blank").await.unwrap();
        let url = format!("{}{path}", self.origins[0]);
        let opened = self.client.goto(&url).await;
        opened.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Follows a link within the page: another part after the `#`.
    pub async fn follow(&self, hash: &str) {
        self.run::<Value>("location.hash = arguments[0]", &[json!(hash)])
            .await;
    }

    /// Loads the page again.
    pub async fn reload(&self) {
        self.client.refresh().await.unwrap();
    }

    /// The part of the address after the `#`.
    pub async fn hash(&self) -> String {
        self.run("return location.hash", &[]).await
    }

    /// Runs a script in the page and returns what it returns.
    pub async fn run<T: DeserializeOwned>(&self, script: &str, arguments: &[Value]) -> T {
        let done = self.client.execute(script, arguments.to_vec()).await;
        let value = done.unwrap_or_else(|error| panic!("{script}: {error}"));
        serde_json::from_value(value.clone())
            .unwrap_or_else(|error| panic!("{script} returned {value}: {error}"))
    }

    /// Runs a script that calls its last argument with what it returns.
    pub async fn run_until_called<T: DeserializeOwned>(
        &self,
        script: &str,
        arguments: &[Value],
    ) -> T {
        let done = self.client.execute_async(script, arguments.to_vec()).await;
        let value = done.unwrap_or_else(|error| panic!("{script}: {error}"));
        serde_json::from_value(value.clone())
            .unwrap_or_else(|error| panic!("{script} was called with {value}: {error}"))
    }

    /// Waits until this script returns what satisfies, and returns that.
    pub async fn until<T: DeserializeOwned + Debug>(
        &self,
        what: &str,
        script: &str,
        satisfies: impl Fn(&T) -> bool,
    ) -> T {
        let look = async || {
            let seen: T = self.run(script, &[]).await;
            if satisfies(&seen) {
                Ok(seen)
            } else {
                Err(format!("{script}: {seen:?}"))
            }
        };
        eventually(what, PATIENCE, look).await
    }

    /// Waits until there is an element like this to be seen.
    pub async fn see(&self, css: &str) {
        let script = format!("return {VISIBLE}({css:?}).length > 0");
        self.until(&format!("{css} is seen"), &script, |seen| *seen)
            .await;
    }

    /// Waits until no element like this can be seen.
    pub async fn see_no(&self, css: &str) {
        let script = format!("return {VISIBLE}({css:?}).length");
        let what = format!("{css} is not seen");
        self.until(&what, &script, |seen: &usize| *seen == 0).await;
    }

    /// How many elements like this can be seen now.
    pub async fn count(&self, css: &str) -> usize {
        self.run(&format!("return {VISIBLE}({css:?}).length"), &[])
            .await
    }

    /// The text of the first element like this, as it is shown; waits until there is one.
    pub async fn text(&self, css: &str) -> String {
        let script = format!("return document.querySelector({css:?})?.innerText");
        let what = format!("{css} is there");
        let found = self.until(&what, &script, Option::<String>::is_some);
        found.await.unwrap_or_default()
    }

    /// An attribute of the first element like this; waits until there is one that has it.
    pub async fn attribute(&self, css: &str, name: &str) -> String {
        let script = format!("return document.querySelector({css:?})?.getAttribute({name:?})");
        let what = format!("{css} has {name}");
        let found = self.until(&what, &script, Option::<String>::is_some);
        found.await.unwrap_or_default()
    }

    /// Waits until the text of the first element like this contains something.
    pub async fn read(&self, css: &str, part: &str) -> String {
        let script = format!("return document.querySelector({css:?})?.innerText ?? ''");
        let what = format!("{css} says {part:?}");
        self.until(&what, &script, |text: &String| text.contains(part))
            .await
    }

    /// Clicks where the first element like this is, as soon as that can be done. The page may
    /// replace it meanwhile.
    pub async fn click(&self, css: &str) {
        let click = async || {
            let element = self.client.find(Locator::Css(css)).await?;
            element.click().await
        };
        eventually(&format!("{css} is clicked"), PATIENCE, click).await;
    }

    /// Replaces what is written in a field, as a person does: it keeps the focus all the while.
    pub async fn fill(&self, css: &str, text: &str) {
        // Control and A, let go of, and what takes the place of what is chosen.
        const ALL_OF_IT: &str = "\u{e009}a\u{e000}";
        self.see(css).await;
        let field = self.client.find(Locator::Css(css)).await.unwrap();
        let keys = format!("{ALL_OF_IT}{text}");
        field.send_keys(&keys).await.unwrap();
    }

    /// Chooses an option of a list by its value.
    pub async fn choose(&self, css: &str, value: &str) {
        self.see(css).await;
        let list = self.client.find(Locator::Css(css)).await.unwrap();
        list.select_by_value(value).await.unwrap();
    }

    /// Presses one key after the other, wherever the focus is.
    pub async fn press<K: Into<Keystroke>>(&self, keys: impl IntoIterator<Item = K>) {
        let mut actions = KeyActions::new("keyboard".to_owned());
        for Keystroke { held, key } in keys.into_iter().map(Into::into) {
            if let Some(value) = held {
                actions = actions.then(KeyAction::Down { value });
            }
            actions = actions.then(KeyAction::Down { value: key });
            actions = actions.then(KeyAction::Up { value: key });
            if let Some(value) = held {
                actions = actions.then(KeyAction::Up { value });
            }
        }
        self.client.perform_actions(actions).await.unwrap();
    }

    /// Opens an empty tab, and looks at that.
    pub async fn new_tab(&self) -> Tab {
        let opened = self.client.new_window(true).await.unwrap();
        let tab = Tab(opened.handle);
        self.switch_to(&tab).await;
        tab
    }

    /// The tab that is looked at.
    pub async fn tab(&self) -> Tab {
        Tab(self.client.window().await.unwrap())
    }

    /// Looks at another tab; the one before is hidden.
    pub async fn switch_to(&self, tab: &Tab) {
        self.client.switch_to_window(tab.0.clone()).await.unwrap();
        self.devtools("Page.bringToFront", json!({})).await;
    }
}

/// A tab.
#[derive(Debug, Clone)]
pub struct Tab(WindowHandle);

/// A key that is pressed once, with or without others held.
#[derive(Debug, Clone, Copy)]
pub struct Keystroke {
    held: Option<char>,
    key: char,
}

impl From<char> for Keystroke {
    fn from(key: char) -> Self {
        Self { held: None, key }
    }
}

impl From<Key> for Keystroke {
    fn from(key: Key) -> Self {
        Self::from(char::from(key))
    }
}

impl Keystroke {
    /// With Shift held.
    pub fn with_shift(key: Key) -> Self {
        Self {
            held: Some(Key::Shift.into()),
            key: char::from(key),
        }
    }
}

/// The elements of a kind that are drawn.
const VISIBLE: &str = "(css => [...document.querySelectorAll(css)].filter(
    element => element.checkVisibility({visibilityProperty: true})))";
