//! Numbers as tests write them down.

use super::num::{Amount, Cash, Price, Ratio};

pub(crate) fn amount(text: &str) -> Amount {
    text.parse().expect("literal")
}

pub(crate) fn price(text: &str) -> Price {
    text.parse().expect("literal")
}

pub(crate) fn cash(text: &str) -> Cash {
    text.parse().expect("literal")
}

pub(crate) fn ratio(text: &str) -> Ratio {
    text.parse().expect("literal")
}
