//! How states are spelled, in the database and towards callers.

use crate::saga::Status;

saga_events::spelled! {
    Status "status":
    Pending "PENDING", Cancelling "CANCELLING", Completed "COMPLETED", Cancelled "CANCELLED"
}

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
