//! How states and answers are spelled, in the databases and towards callers.

use crate::saga::{Answer, State};

macro_rules! names {
    ($name:ident $what:literal: $($variant:ident)*) => {
        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As it is spelled in the database and in answers.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant),)* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let found = Self::ALL.iter().find(|known| known.as_str() == text);
                found.copied().ok_or_else(|| format!(concat!("unknown ", $what, " {:?}"), text))
            }
        }

        saga_events::stored_by_name! { $name }
    };
}

names! { State "state": Authorizing Processed Failed }
names! { Answer "answer": Approved Declined }
