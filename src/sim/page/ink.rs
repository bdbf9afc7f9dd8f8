//! Colours by meaning: drawn for a light page, changed by style rules on a dark one.

use plotters::style::RGBColor;
use std::fmt::Write;

/// What a colour stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Words on axes.
    Label,
    /// Axis lines and references.
    Rule,
    /// Grid lines.
    Grid,
    /// What the plot is about: price, vault, limit, premium.
    Blue,
    /// What it is held against: first strike, best quote, payoff.
    Orange,
    /// Second strike, fills, interest.
    Green,
    /// Marks, holding, collateral cost.
    Violet,
    /// Fees, exercised settlements.
    Red,
}

impl Ink {
    const ALL: [Ink; 8] = [Ink::Label, Ink::Rule, Ink::Grid, Ink::Blue, Ink::Orange, Ink::Green, Ink::Violet, Ink::Red];

    /// Name of the style variable, and red, green and blue on a light and on a dark page.
    const fn look(self) -> (&'static str, [u8; 3], [u8; 3]) {
        match self {
            Ink::Label => ("label", [0x4b, 0x55, 0x60], [0xa9, 0xb3, 0xbe]),
            Ink::Rule => ("rule", [0x9a, 0xa4, 0xae], [0x6b, 0x76, 0x82]),
            Ink::Grid => ("grid", [0xe6, 0xe9, 0xed], [0x2a, 0x31, 0x39]),
            Ink::Blue => ("blue", [0x1f, 0x6f, 0xb4], [0x5e, 0xb0, 0xf0]),
            Ink::Orange => ("orange", [0xd4, 0x6a, 0x0a], [0xf2, 0x9b, 0x4b]),
            Ink::Green => ("green", [0x25, 0x8a, 0x5b], [0x57, 0xc7, 0x92]),
            Ink::Violet => ("violet", [0x7a, 0x52, 0xb3], [0xb8, 0x99, 0xea]),
            Ink::Red => ("red", [0xc2, 0x35, 0x3a], [0xf2, 0x7a, 0x7d]),
        }
    }

    /// Name of the style variable.
    pub const fn name(self) -> &'static str {
        self.look().0
    }

    /// The colour drawn with.
    pub const fn rgb(self) -> RGBColor {
        let [red, green, blue] = self.look().1;
        RGBColor(red, green, blue)
    }
}

/// Style rules that name the colours and give drawn ones their looks on a dark page.
pub fn rules() -> String {
    let hex = |[red, green, blue]: [u8; 3]| format!("#{red:02X}{green:02X}{blue:02X}");
    let (mut light, mut dark, mut drawn) = (String::new(), String::new(), String::new());
    for ink in Ink::ALL {
        let (name, day, night) = ink.look();
        let _ = write!(light, "--{name}:{};", hex(day));
        let _ = write!(dark, "--{name}:{};", hex(night));
        let day = hex(day);
        let _ =
            writeln!(drawn, "svg [fill=\"{day}\"]{{fill:var(--{name})}}svg [stroke=\"{day}\"]{{stroke:var(--{name})}}");
    }
    format!(":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{drawn}")
}
