//! How states are spelled, in the database and towards callers.

use crate::saga::Status;

impl Status {
    /// All states.
    pub const ALL: [Self; 4] = [
        Self::Pending,
        Self::Cancelling,
        Self::Completed,
        Self::Cancelled,
    ];

    /// As it is spelled in the database and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Cancelling => "CANCELLING",
            Self::Completed => "COMPLETED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

impl std::str::FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| format!("unknown status {text:?}"))
    }
}

saga_events::stored_by_name! { Status }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert!("pending".parse::<Status>().is_err());
    }
}
