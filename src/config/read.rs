//! Reads typed fields out of a TOML table, and notes for each where it came from or what is wrong with it.
//!
//! A name that nobody asked for is refused when the section is finished. Floats are never accepted.

use std::cell::RefCell;
use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::explain::Explained;
use super::problem::ConfigErrors;
use super::text::{nearest, quoted};
use crate::base::num::{NumError, Ratio};
use crate::base::time::{MS, SEC};

/// What is known about the file so far.
pub(super) struct Notes {
    pub(super) file: String,
    line_starts: Vec<usize>,
    pub(super) errors: ConfigErrors,
    pub(super) rows: Vec<Explained>,
    pub(super) warnings: Vec<String>,
}

impl Notes {
    pub(super) fn new(file: &str, text: &str) -> RefCell<Notes> {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        RefCell::new(Notes {
            file: file.to_owned(),
            line_starts: std::iter::once(0).chain(breaks).collect(),
            errors: ConfigErrors::new(file),
            rows: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// Line, from one, of a byte offset.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset).max(1)
    }
}

/// A field as read; no value if it was missing or wrong, which has been noted by then.
#[derive(Clone, Debug)]
pub(super) struct Field<T> {
    pub(super) value: Option<T>,
    pub(super) path: String,
    pub(super) line: usize,
}

impl<T> Field<T> {
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Field<U> {
        Field { value: self.value.map(change), path: self.path, line: self.line }
    }
}

impl<T: PartialOrd + Display> Field<T> {
    /// Notes a fault unless `self ≤ other`; silent if either was wrong already.
    pub(super) fn at_most(&self, other: &Field<T>, why: &str, notes: &RefCell<Notes>) {
        if let (Some(own), Some(limit)) = (&self.value, &other.value)
            && own > limit
        {
            let what = format!("{own} is above {} {limit}: {why}", other.path);
            self.refuse(what, format!("at most {limit}"), notes);
        }
    }

    /// Notes a fault unless `self < other`; silent if either was wrong already.
    pub(super) fn below(&self, other: &Field<T>, why: &str, notes: &RefCell<Notes>) {
        if let (Some(own), Some(limit)) = (&self.value, &other.value)
            && own >= limit
        {
            let what = format!("{own} is not below {} {limit}: {why}", other.path);
            self.refuse(what, format!("below {limit}"), notes);
        }
    }
}

impl<T> Field<T> {
    /// Notes a fault of this field.
    pub(super) fn refuse(&self, what: impl Into<String>, allowed: impl Into<String>, notes: &RefCell<Notes>) {
        notes.borrow_mut().errors.push(self.line, &self.path, what, allowed);
    }

    /// Notes what is allowed here but probably not wanted.
    pub(super) fn warn(&self, what: impl Display, notes: &RefCell<Notes>) {
        let notes = &mut *notes.borrow_mut();
        notes.warnings.push(format!("{}:{}: {}: {what}", notes.file, self.line, self.path));
    }
}

/// Basis points, as typed.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct Bps(pub(super) i64);

impl Bps {
    pub(super) fn ratio(self) -> Ratio {
        Ratio::from_bps(self.0)
    }
}

impl Display for Bps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bps", self.0)
    }
}

/// Basis points per second or minute, as typed; exact to a hundred-thousandth.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct BpsRate(Ratio);

impl BpsRate {
    /// From hundred-thousandths of a basis point.
    pub(super) const fn from_e5(units: i64) -> BpsRate {
        BpsRate(Ratio::from_raw(units * 10_000))
    }

    pub(super) fn ratio(self) -> Ratio {
        Ratio::from_raw(self.0.raw() / 10_000)
    }
}

impl FromStr for BpsRate {
    type Err = NumError;

    fn from_str(text: &str) -> Result<BpsRate, NumError> {
        let typed: Ratio = text.parse()?;
        if typed.raw() % 10_000 == 0 { Ok(BpsRate(typed)) } else { Err(NumError::TooPrecise) }
    }
}

impl Display for BpsRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)
    }
}

/// A length of time in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct Span(pub(super) u64);

impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(SEC) { write!(f, "{} s", self.0 / SEC) } else { write!(f, "{} ms", self.0 / MS) }
    }
}

/// Name and meaning of a field.
pub(super) type Spec = (&'static str, &'static str);

/// What a field may hold, and how it is shown.
pub(super) struct Rule<'r, T> {
    pub(super) unit: &'r str,
    pub(super) allowed: String,
    /// What counts when the field is absent.
    pub(super) absent: Absent<T>,
    pub(super) show: fn(&T) -> String,
}

/// What an absent field means.
pub(super) enum Absent<T> {
    /// It must be given.
    Refused,
    /// This value.
    Default(T),
    /// Nothing, and that is fine.
    Fine,
}

impl<T> From<Option<T>> for Absent<T> {
    fn from(default: Option<T>) -> Self {
        default.map_or(Absent::Refused, Absent::Default)
    }
}

/// One table of the file.
pub(super) struct Section<'a> {
    pub(super) notes: &'a RefCell<Notes>,
    path: String,
    table: Option<&'a DeTable<'a>>,
    pub(super) line: usize,
    /// Something else stood where the table belongs; its fields are not missed one by one.
    broken: bool,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    pub(super) fn root(notes: &'a RefCell<Notes>, table: &'a DeTable<'a>) -> Section<'a> {
        Section::new(notes, String::new(), Some(table), 1, false)
    }

    fn new(
        notes: &'a RefCell<Notes>,
        path: String,
        table: Option<&'a DeTable<'a>>,
        line: usize,
        broken: bool,
    ) -> Section<'a> {
        Section { notes, path, table, line, broken, known: RefCell::default() }
    }

    /// Full name.
    pub(super) fn name(&self) -> &str {
        &self.path
    }

    /// A text of this table, unless it is absent or something else; it is not asked for by this.
    pub(super) fn peek(&self, name: &str) -> Option<&'a str> {
        match self.table?.get(name)?.get_ref() {
            DeValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// True if the file holds this table.
    pub(super) fn is_given(&self) -> bool {
        self.table.is_some()
    }

    /// True if something of that name stands here; it is not asked for by this.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(name))
    }

    fn full(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn find(&self, name: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.borrow_mut().push(name);
        self.table.and_then(|table| table.get(name))
    }

    fn line_of(&self, name: &str) -> usize {
        let key = self.table.and_then(|table| table.get_key_value(name)).map(|(key, _)| key.span().start);
        key.map_or(self.line, |at| self.notes.borrow().line(at))
    }

    /// A table inside this one; an absent one is empty.
    pub(super) fn child(&self, name: &'static str) -> Section<'a> {
        let path = self.full(name);
        match self.find(name).map(|value| (value.get_ref(), value.span())) {
            None => Section::new(self.notes, path, None, self.line, self.broken),
            Some((DeValue::Table(table), _)) => Section::new(self.notes, path, Some(table), self.line_of(name), false),
            Some((other, _)) => {
                let line = self.line_of(name);
                let what = format!("expected a table, found {}", kind(other));
                self.notes.borrow_mut().errors.push(line, &path, what, format!("[{path}]"));
                Section::new(self.notes, path, None, line, true)
            }
        }
    }

    /// The tables of an array `[[name]]`.
    pub(super) fn children(&self, name: &'static str, count: RangeInclusive<usize>) -> Vec<Section<'a>> {
        let path = self.full(name);
        let line = self.line_of(name);
        let allowed = format!("{} to {} tables [[{path}]]", count.start(), count.end());
        let refuse = |what: String| self.notes.borrow_mut().errors.push(line, &path, what, allowed.clone());
        let items = match self.find(name).map(Spanned::get_ref) {
            Some(DeValue::Array(items)) => items,
            other => {
                refuse(other.map_or("missing".into(), |other| format!("expected tables, found {}", kind(other))));
                return Vec::new();
            }
        };
        if !count.contains(&items.len()) {
            refuse(format!("{} given", items.len()));
        }
        let mut sections = Vec::new();
        for (place, item) in items.iter().enumerate().take(*count.end()) {
            let line = self.notes.borrow().line(item.span().start);
            match item.get_ref() {
                DeValue::Table(table) => {
                    sections.push(Section::new(self.notes, format!("{path}[{place}]"), Some(table), line, false));
                }
                other => refuse(format!("expected tables, found {}", kind(other))),
            }
        }
        sections
    }

    /// One field by a rule; every typed reader comes through here.
    pub(super) fn field<T>(
        &self,
        (name, meaning): Spec,
        rule: Rule<'_, T>,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
    ) -> Field<T> {
        let path = self.full(name);
        let found = self.find(name);
        let line = self.line_of(name);
        let mut notes = self.notes.borrow_mut();
        let (value, source) = match (found.map(|value| read(value.get_ref())), rule.absent) {
            (Some(Ok(value)), _) => (Some(value), format!("{}:{line}", notes.file)),
            (Some(Err(what)), _) => {
                notes.errors.push(line, &path, what, rule.allowed);
                return Field { value: None, path, line };
            }
            (None, Absent::Default(value)) => (Some(value), "default".to_owned()),
            (None, Absent::Fine) => (None, "default".to_owned()),
            (None, Absent::Refused) => {
                if !self.broken {
                    notes.errors.push(line, &path, "missing", rule.allowed);
                }
                return Field { value: None, path, line };
            }
        };
        let shown = value.as_ref().map_or_else(|| "none".to_owned(), rule.show);
        notes.rows.push(Explained {
            section: self.path.clone(),
            field: name.to_owned(),
            value: shown,
            unit: rule.unit.to_owned(),
            allowed: rule.allowed,
            source,
            meaning: meaning.to_owned(),
        });
        Field { value, path, line }
    }

    /// Shows a value that follows from others.
    pub(super) fn derived(&self, (name, meaning): Spec, value: impl Display, unit: &str) {
        self.notes.borrow_mut().rows.push(Explained {
            section: self.path.clone(),
            field: name.to_owned(),
            value: value.to_string(),
            unit: unit.to_owned(),
            allowed: String::new(),
            source: "derived".to_owned(),
            meaning: meaning.to_owned(),
        });
    }

    /// A whole number in a range.
    pub(super) fn integer(
        &self,
        spec: Spec,
        unit: &str,
        range: RangeInclusive<i64>,
        default: Option<i64>,
    ) -> Field<i64> {
        let top = if *range.end() == i64::MAX { "or more".to_owned() } else { format!("to {}", range.end()) };
        let allowed = format!("{} {top} {unit}", range.start()).trim_end().to_owned();
        let rule = Rule { unit, allowed, absent: default.into(), show: i64::to_string };
        self.field(spec, rule, |value| read_integer(value, &range))
    }

    /// Basis points.
    pub(super) fn bps(&self, spec: Spec, range: RangeInclusive<i64>, default: i64) -> Field<Bps> {
        self.integer(spec, "bps", range, Some(default)).map(Bps)
    }

    /// Milliseconds.
    pub(super) fn ms(&self, spec: Spec, range: RangeInclusive<i64>, default: i64) -> Field<Span> {
        self.integer(spec, "ms", range, Some(default)).map(|ms| Span(ms.unsigned_abs() * MS))
    }

    /// Seconds.
    pub(super) fn seconds(&self, spec: Spec, range: RangeInclusive<i64>, default: i64) -> Field<Span> {
        self.integer(spec, "s", range, Some(default)).map(|s| Span(s.unsigned_abs() * SEC))
    }

    /// A plain decimal, written as a string, in a range.
    pub(super) fn decimal<T>(&self, spec: Spec, unit: &str, range: RangeInclusive<T>, default: Option<T>) -> Field<T>
    where
        T: FromStr<Err = NumError> + PartialOrd + Display,
    {
        let allowed = format!("\"{}\" to \"{}\" {unit}", range.start(), range.end());
        let rule = Rule { unit, allowed, absent: default.into(), show: T::to_string };
        self.field(spec, rule, |value| {
            let text = match value {
                DeValue::String(text) => text,
                DeValue::Integer(number) => {
                    return Err(format!("a decimal is written as a string, \"{}\"", number.as_str()));
                }
                DeValue::Float(number) => {
                    return Err(format!("floats are not exact; write a decimal string, found {}", number.as_str()));
                }
                other => return Err(format!("expected a decimal string, found {}", kind(other))),
            };
            let number: T = text.parse().map_err(|error| format!("{}: {error}", quoted(text)))?;
            if range.contains(&number) { Ok(number) } else { Err(format!("{} is out of range", quoted(text))) }
        })
    }

    /// A text that `read` understands.
    pub(super) fn text<T>(
        &self,
        spec: Spec,
        rule: Rule<'_, T>,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Field<T> {
        self.field(spec, rule, |value| match value {
            DeValue::String(text) => read(text),
            other => Err(format!("expected a string, found {}", kind(other))),
        })
    }

    /// One of some words.
    pub(super) fn choice<T: Copy + Display>(&self, spec: Spec, words: &[(&str, T)], default: Option<T>) -> Field<T> {
        let names: Vec<String> = words.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let rule = Rule { unit: "", allowed: names.join(" or "), absent: default.into(), show: T::to_string };
        self.text(spec, rule, |text| {
            let found = words.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
            found.ok_or_else(|| format!("{} is not one of them", quoted(text)))
        })
    }

    /// True or false.
    pub(super) fn boolean(&self, spec: Spec, default: bool) -> Field<bool> {
        let rule =
            Rule { unit: "", allowed: "true or false".into(), absent: Absent::Default(default), show: bool::to_string };
        self.field(spec, rule, |value| match value {
            DeValue::Boolean(flag) => Ok(*flag),
            other => Err(format!("expected true or false without quotes, found {}", kind(other))),
        })
    }

    /// Refuses every name nobody asked for.
    pub(super) fn finish(&self) {
        let known = self.known.borrow();
        for (key, _) in self.table.into_iter().flatten() {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let mut notes = self.notes.borrow_mut();
            let line = notes.line(key.span().start);
            let allowed = match nearest(name, &known) {
                Some(near) => format!("did you mean {near}?"),
                None => known.join(", "),
            };
            let place = if self.path.is_empty() { "the top level" } else { &self.path };
            let what = format!("unknown field in {place}");
            notes.errors.push(line, &self.full(&quoted(name).replace('"', "")), what, allowed);
        }
    }
}

/// What a TOML value is, in words.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

pub(super) fn read_integer(value: &DeValue<'_>, range: &RangeInclusive<i64>) -> Result<i64, String> {
    match value {
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            let parsed = parsed.map_err(|_| "beyond 64 bits".to_owned())?;
            if range.contains(&parsed) { Ok(parsed) } else { Err(format!("{parsed} is out of range")) }
        }
        DeValue::Float(number) => Err(format!("expected a whole number, found the float {}", number.as_str())),
        DeValue::String(_) => Err("expected a whole number without quotes, found a string".to_owned()),
        other => Err(format!("expected a whole number, found {}", kind(other))),
    }
}
