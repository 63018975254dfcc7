//! `ko`

use saga_events::{ReasonCode, Service};

use super::{Sentence, clock, took};
use crate::stuck::{Cause, Stuck};

/// A sentence in Korean. Wire names stay as they are.
pub(super) fn say(sentence: &Sentence) -> String {
    match sentence {
        Sentence::Completed { after } => {
            let after = after.map_or(String::new(), |after| format!(" {} 만에", took(after)));
            format!("구매가{after} 완료되었습니다. 금액, 자리, 재고가 모두 확정되었습니다.")
        }
        Sentence::Cancelled {
            because,
            given_back,
            after,
        } => {
            let after = after.map_or(String::new(), |after| format!(" {} 만에", took(after)));
            let why = because.map_or(String::new(), |(code, step)| {
                format!(" {} 결정한 곳은 {step}입니다.", reason(code))
            });
            let back = match given_back.as_slice() {
                [] => "끝났을 때 잡아 둔 것은 없었습니다.".to_owned(),
                some => format!("잡아 두었던 것을 모두 돌려주었습니다: {}.", things(some)),
            };
            format!("구매가{after} 취소되었습니다.{why} {back}")
        }
        Sentence::Open { held } => match held.as_slice() {
            [] => "구매가 진행 중이며, 아직 잡아 둔 것은 없습니다.".to_owned(),
            some => format!("구매가 진행 중이며, 지금 잡아 둔 것: {}.", things(some)),
        },
        Sentence::Asking => {
            "결제사에 묻는 중입니다. 답이 오기 전에는 결제되었는지 아무도 모릅니다.".to_owned()
        }
        Sentence::Paid => "결제가 끝났으므로 구매는 반드시 완료됩니다.".to_owned(),
        Sentence::Cancelling => {
            "취소 요청이 있었습니다. 이미 결제되었는지는 payment-svc가 판단합니다.".to_owned()
        }
        Sentence::TurnedBack { by } => {
            format!("{by}에서 되돌아섰으므로 잡아 두었던 것을 돌려주는 중입니다.")
        }
        Sentence::Notified => "구매자에게 알렸습니다.".to_owned(),
        Sentence::Repeated { times } => format!("이벤트 {times}건이 다시 전달되었습니다."),
        Sentence::Late(stuck) => late(stuck),
        Sentence::RepeatsIn(wait) if wait.is_zero() => "곧 다시 보냅니다.".to_owned(),
        Sentence::RepeatsIn(wait) => format!("{} 뒤에 다시 보냅니다.", took(*wait)),
        Sentence::Missing(services) => {
            let names: Vec<&str> = services.iter().map(|service| service.as_str()).collect();
            format!("응답이 없어 여기에 빠진 서비스: {}.", names.join(", "))
        }
        Sentence::Wrong { problems } => {
            format!("규약에 어긋나는 점이 {problems}건 있습니다. conformance를 보십시오.")
        }
    }
}

fn late(stuck: &Stuck) -> String {
    let (service, since) = (stuck.service, clock(stuck.since));
    match stuck.cause {
        Cause::ServiceDown => {
            format!("{service}의 응답이 없습니다. {since}부터 기다리고 있습니다.")
        }
        Cause::DeadLetter => format!(
            "{service}에서 이벤트 하나를 처리하지 못해 {since}부터 따로 두었습니다. 해당 dead letter를 replay하거나 discard하십시오."
        ),
        Cause::GatewayUnknown => {
            format!("결제사가 {since}부터 답하지 않습니다. {service}에서 같은 키로 다시 묻습니다.")
        }
        Cause::RedisDown => format!(
            "Redis의 응답이 없어 {since}부터 {service}에 아무것도 닿지 않습니다. 나간 말은 모두 outbox에서 기다립니다."
        ),
        Cause::Lagging => {
            let n = stuck.behind.unwrap_or(0);
            format!("{service}의 처리가 {n}건 밀려 있습니다. {since}부터 기다리고 있습니다.")
        }
        Cause::WaitingRepeat => format!(
            "{service}에 {since}부터 소식이 없습니다. 메시지가 사라졌으며, 다음 재전송이 다시 가져다줍니다."
        ),
    }
}

fn things(services: &[Service]) -> String {
    let names: Vec<&str> = services.iter().map(|service| thing(*service)).collect();
    names.join(", ")
}

const fn thing(service: Service) -> &'static str {
    match service {
        Service::Order => "주문",
        Service::User => "금액",
        Service::Inventory => "자리",
        Service::Item => "재고",
        Service::Payment => "결제",
        Service::Notify => "알림",
    }
}

const fn reason(code: ReasonCode) -> &'static str {
    match code {
        ReasonCode::UserNotFound => "구매자를 찾을 수 없습니다.",
        ReasonCode::UserInactive => "구매자의 계정이 비활성 상태입니다.",
        ReasonCode::InsufficientBalance => "구매자의 잔액이 총액보다 적습니다.",
        ReasonCode::InventoryFull => "구매자의 인벤토리에 빈 자리가 없습니다.",
        ReasonCode::ItemNotFound => "상품을 찾을 수 없습니다.",
        ReasonCode::ItemWithdrawn => "판매가 끝난 상품입니다.",
        ReasonCode::OutOfStock => "상품의 재고가 부족합니다.",
        ReasonCode::PriceChanged => "상품의 가격이 안내한 가격과 다릅니다.",
        ReasonCode::PaymentDeclined => "결제사가 결제를 거절했습니다.",
        ReasonCode::DeadlineExceeded => "기한 안에 결제되지 않았습니다.",
        ReasonCode::CancelledByUser => "결제되기 전에 구매자가 취소했습니다.",
    }
}
