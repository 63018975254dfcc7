//! What a person reads: colour on a terminal only, and money with its separators.

use std::fmt;
use std::io::{self, IsTerminal, Stdout, Write};

use saga_events::Phase;

use crate::table::Table;

/// How a piece of text stands out.
#[derive(Debug, Clone, Copy)]
pub enum Tone {
    /// A headline.
    Strong,
    /// What may be skipped.
    Faint,
    /// It went well.
    Good,
    /// It is taken back.
    Back,
    /// It was refused.
    Bad,
}

impl Tone {
    /// The tone of an event.
    pub const fn of(phase: Phase) -> Option<Self> {
        match phase {
            Phase::Begin | Phase::Inform | Phase::Reserve | Phase::Pivot => None,
            Phase::Confirm => Some(Self::Good),
            Phase::Compensate => Some(Self::Back),
            Phase::Refuse | Phase::Request => Some(Self::Bad),
            Phase::Final | Phase::Close => Some(Self::Strong),
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Back => "33",
            Self::Bad => "31",
        }
    }
}

/// Standard output.
pub struct Screen {
    out: Stdout,
    colour: bool,
    /// Lines of the picture that is on the terminal now.
    drawn: usize,
}

impl Screen {
    /// Colours on a terminal, unless `NO_COLOR` is set.
    pub fn stdout() -> Self {
        let out = io::stdout();
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = out.is_terminal() && !unwanted;
        Self {
            out,
            colour,
            drawn: 0,
        }
    }

    /// Writes a line.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub fn line(&mut self, text: impl fmt::Display) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// Whether a person looks at it, so that a picture can be drawn over the one before.
    pub fn is_terminal(&self) -> bool {
        self.out.is_terminal()
    }

    /// Draws a picture over the one before.
    ///
    /// # Errors
    /// Nobody looks any more.
    pub fn draw(&mut self, picture: &[String]) -> io::Result<()> {
        if self.drawn > 0 {
            // To its first line, then all below is cleared.
            write!(self.out, "\x1b[{}A\x1b[J", self.drawn)?;
        }
        self.drawn = picture.len();
        for line in picture {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }

    /// Writes a value as JSON, for programs.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub fn json(&mut self, value: &impl serde::Serialize) -> anyhow::Result<()> {
        self.line(serde_json::to_string_pretty(value)?)?;
        Ok(())
    }

    /// Writes a table, its headline faint.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub fn table(&mut self, table: &Table) -> io::Result<()> {
        for (number, line) in table.lines().enumerate() {
            let tone = (number == 0).then_some(Tone::Faint);
            self.line(self.paint(tone, line))?;
        }
        Ok(())
    }

    /// The text in this tone.
    pub fn paint(&self, tone: Option<Tone>, text: impl fmt::Display) -> String {
        match tone {
            Some(tone) if self.colour => format!("\x1b[{}m{text}\x1b[0m", tone.code()),
            _ => text.to_string(),
        }
    }
}

/// An amount of the demo's currency: 10000 is `₩10,000`.
pub fn won(amount: i64) -> String {
    let digits = amount.unsigned_abs().to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    let sign = if amount < 0 { "-" } else { "" };
    format!("{sign}₩{}", groups.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_its_separators() {
        assert_eq!(won(0), "₩0");
        assert_eq!(won(999), "₩999");
        assert_eq!(won(50_000), "₩50,000");
        assert_eq!(won(-1_234_567), "-₩1,234,567");
    }
}
