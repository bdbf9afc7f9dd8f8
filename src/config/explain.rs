//! Every resolved value with its unit, range, source and meaning, and the table that shows them.

use std::fmt::Write;

/// One resolved value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Section, e.g. `vault[0].limits`.
    pub section: String,
    /// Field, e.g. `delta_max_x`.
    pub field: String,
    /// Value as resolved; secrets are left out.
    pub value: String,
    /// Unit; empty for names and choices.
    pub unit: String,
    /// What may be written there.
    pub allowed: String,
    /// `file:line`, `default`, or `derived` from other fields.
    pub source: String,
    /// What it does.
    pub meaning: String,
}

/// An aligned table of all rows, one line each, with a headline per section.
pub fn table(rows: &[Explained]) -> String {
    let width = |of: fn(&Explained) -> &str| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
    let (fields, values) = (width(|row| &row.field), width(|row| &row.value));
    let (units, sources) = (width(|row| &row.unit), width(|row| &row.source));
    let mut out = String::new();
    let mut section = "";
    for row in rows {
        if row.section != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            section = &row.section;
            let _ = writeln!(out, "{gap}[{section}]");
        }
        let Explained { field, value, unit, source, meaning, .. } = row;
        let _ = writeln!(out, "  {field:fields$}  {value:values$}  {unit:units$}  {source:sources$}  {meaning}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_under_their_section() {
        let row = |section: &str, field: &str, value: &str| Explained {
            section: section.into(),
            field: field.into(),
            value: value.into(),
            unit: "bps".into(),
            allowed: String::new(),
            source: "default".into(),
            meaning: "why".into(),
        };
        let text = table(&[row("a", "long_name", "1"), row("a", "x", "100"), row("b", "y", "2")]);
        let want = "[a]\n  long_name  1    bps  default  why\n  x          100  bps  default  why\n\n\
                    [b]\n  y          2    bps  default  why\n";
        assert_eq!(text, want);
        assert_eq!(table(&[]), "");
    }
}
