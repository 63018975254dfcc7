//! The page in a real browser, a system of its own for each test.
//!
//! Needs `chromedriver` and `chromium` on the path, as `scripts/test` provides them. Where they are
//! missing these tests say so on the terminal, and prove nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod away;
mod dead_letters;
mod environment;
mod keyboard;
mod lab;
mod laboratory;
mod looks;
mod purchases;
mod scene;
mod soak;
mod stuck;
mod tabs;
