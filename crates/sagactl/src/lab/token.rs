//! Who may press the buttons: a secret that is new at every start and is never written to a file.

use anyhow::{Result, anyhow};

/// 128 random bits.
const BYTES: usize = 16;

/// The lab's secret.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new() -> Result<Self> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(|why| anyhow!("no randomness: {why}"))?;
        Ok(Self(bytes.map(|byte| format!("{byte:02x}")).concat()))
    }

    /// To be shown to the person who started the lab, and to nobody else.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this. It takes as long whatever is wrong, so that nobody can guess it piece by
    /// piece.
    pub fn is(&self, other: &str) -> bool {
        let (own, other) = (self.0.as_bytes(), other.as_bytes());
        let differences = own.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
        own.len() == other.len() && std::hint::black_box(differences) == 0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Token;

    #[test]
    fn a_token_is_itself_and_nothing_else() {
        let (one, other) = (Token::new().unwrap(), Token::new().unwrap());
        assert_eq!(one.as_str().len(), 32);
        assert!(one.is(one.as_str()) && !one.is(other.as_str()));
        assert!(!one.is("") && !one.is(&one.as_str()[1..]));
        assert!(!one.is(&format!("{}0", one.as_str())));
    }
}
