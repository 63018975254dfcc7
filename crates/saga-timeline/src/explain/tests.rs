use std::collections::BTreeSet;

use saga_events::{ReasonCode, Service};

use super::*;
use crate::Told;
use crate::stuck::Cause;
use crate::testing::{THERE, at, authorizing, completed, refused, sources};

fn in_english(sources: &crate::Sources) -> String {
    explain(&Timeline::of(sources), Language::English, sources.now)
}

#[test]
fn a_purchase_that_ended_is_told_by_its_end() {
    assert_eq!(
        in_english(&completed()),
        "The purchase is complete after 8 ms: money, room and stock are captured. The buyer was told."
    );
    assert_eq!(
        in_english(&refused()),
        "The purchase was cancelled after 6 ms. There is not enough stock of the item. That was \
         decided at item-svc. Room and money are given back. The buyer was told."
    );
}

#[test]
fn a_purchase_under_way_is_told_by_what_is_held_and_why_it_waits() {
    let mut waiting = sources(&THERE[..3]);
    waiting.told.insert(Service::Inventory, Told::Missing);
    waiting.next_repeat_at = Some(at(4_100));
    assert_eq!(
        in_english(&waiting),
        "The purchase is under way; money is held for it. inventory-svc does not answer; the \
         purchase has waited for it since 22:13:20. The next repeat is in 4.0 s. What only \
         inventory-svc knows is missing here."
    );
    let mut asking = sources(&THERE);
    authorizing(&mut asking, 4);
    asking.gateway_unknown_since = Some(at(5));
    let text = in_english(&asking);
    assert!(
        text.contains("money, room and stock are held for it."),
        "{text}"
    );
    assert!(
        text.contains("nobody knows whether the buyer has paid"),
        "{text}"
    );
    assert!(text.contains("asks again under the same key"), "{text}");
}

/// One of each kind, so that a language that lacks one says so here.
fn every_sentence() -> Vec<Sentence> {
    let second = Duration::from_secs(1);
    let reasons = ReasonCode::ALL.iter().map(|code| Sentence::Cancelled {
        because: Some((*code, Service::Item)),
        given_back: vec![Service::User, Service::Inventory],
        after: Some(second),
    });
    let late = Cause::ALL.into_iter().map(|cause| {
        Sentence::Late(Stuck {
            cause,
            service: Service::Item,
            since: at(0),
            behind: Some(3),
            next_repeat_at: None,
        })
    });
    let rest = [
        Sentence::Completed {
            after: Some(second),
        },
        Sentence::Cancelled {
            because: None,
            given_back: vec![],
            after: None,
        },
        Sentence::Open { held: vec![] },
        Sentence::Open {
            held: vec![Service::User, Service::Item],
        },
        Sentence::Asking,
        Sentence::Paid,
        Sentence::Cancelling,
        Sentence::TurnedBack { by: Service::Item },
        Sentence::Notified,
        Sentence::Repeated { times: 1 },
        Sentence::Repeated { times: 2 },
        Sentence::RepeatsIn(Duration::ZERO),
        Sentence::RepeatsIn(second),
        Sentence::Missing(vec![Service::User]),
        Sentence::Wrong { problems: 1 },
        Sentence::Wrong { problems: 2 },
    ];
    reasons.chain(late).chain(rest).collect()
}

#[test]
fn every_language_says_everything_in_words_of_its_own() {
    let is_hangul = |c: char| ('가'..='힣').contains(&c);
    for language in Language::ALL {
        let said: Vec<String> = every_sentence()
            .iter()
            .map(|sentence| language.say(sentence))
            .collect();
        let different: BTreeSet<&String> = said.iter().collect();
        assert_eq!(different.len(), said.len(), "{language:?}: {said:#?}");
        for text in &said {
            assert_eq!(
                text.contains(is_hangul),
                language == Language::Korean,
                "{text}"
            );
            assert!(text.ends_with('.') && !text.contains("  "), "{text}");
        }
    }
}
