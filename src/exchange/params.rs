//! Typed reading of request parameters; every refusal is −32602 and names the field.

use super::{Refusal, money};
use crate::base::ids::Uuid;
use alloy_primitives::Address;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

/// The parameters of one request, and how many decimals a number in them may have.
#[derive(Clone, Copy, Debug)]
pub struct Params<'a>(pub &'a Map<String, Value>, pub u32);

/// Longest text accepted in any parameter, bytes.
const TEXT_MAX: usize = 1024;

/// The −32602 refusal of a field.
pub fn invalid(field: &str, expected: &str) -> Refusal {
    Refusal::because(-32602, format!("{field}: expected {expected}"))
}

impl<'a> Params<'a> {
    fn present(self, field: &str) -> Option<&'a Value> {
        self.0.get(field).filter(|v| !v.is_null())
    }

    fn required<T>(self, field: &str, value: Option<T>) -> Result<T, Refusal> {
        value.ok_or_else(|| Refusal::because(-32602, format!("{field}: missing")))
    }

    /// An optional text.
    pub fn opt_text(self, field: &str) -> Result<Option<&'a str>, Refusal> {
        match self.present(field) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= TEXT_MAX => Ok(Some(text)),
            Some(_) => Err(invalid(field, "a text of at most 1024 bytes")),
        }
    }

    /// A text.
    pub fn text(self, field: &str) -> Result<&'a str, Refusal> {
        self.required(field, self.opt_text(field)?)
    }

    /// An optional unsigned integer, as a number or a decimal text.
    pub fn opt_u64(self, field: &str) -> Result<Option<u64>, Refusal> {
        let value = match self.present(field) {
            None => return Ok(None),
            Some(Value::Number(n)) => n.as_u64(),
            Some(Value::String(text)) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
            Some(_) => None,
        };
        value.map(Some).ok_or_else(|| invalid(field, "an integer from 0 to 2^64-1"))
    }

    /// An unsigned integer.
    pub fn u64(self, field: &str) -> Result<u64, Refusal> {
        self.required(field, self.opt_u64(field)?)
    }

    /// An optional decimal, as a text or a number, of no more decimals than allowed and without exponent.
    pub fn opt_decimal(self, field: &str) -> Result<Option<Decimal>, Refusal> {
        let value = match self.present(field) {
            None => return Ok(None),
            Some(Value::Number(n)) => money::parse_within(&n.to_string(), self.1),
            Some(Value::String(text)) => money::parse_within(text, self.1),
            Some(_) => None,
        };
        value.map(Some).ok_or_else(|| invalid(field, &format!("a plain decimal with at most {} decimals", self.1)))
    }

    /// A decimal.
    pub fn decimal(self, field: &str) -> Result<Decimal, Refusal> {
        self.required(field, self.opt_decimal(field)?)
    }

    /// An optional truth value.
    pub fn opt_bool(self, field: &str) -> Result<Option<bool>, Refusal> {
        match self.present(field) {
            None => Ok(None),
            Some(Value::Bool(b)) => Ok(Some(*b)),
            Some(_) => Err(invalid(field, "true or false")),
        }
    }

    /// A truth value, false if absent.
    pub fn flag(self, field: &str) -> Result<bool, Refusal> {
        Ok(self.opt_bool(field)?.unwrap_or(false))
    }

    /// An address.
    pub fn address(self, field: &str) -> Result<Address, Refusal> {
        parse_address(self.text(field)?).ok_or_else(|| Refusal::because(14013, field))
    }

    /// An optional UUID.
    pub fn opt_uuid(self, field: &str) -> Result<Option<Uuid>, Refusal> {
        let Some(text) = self.opt_text(field)? else { return Ok(None) };
        Uuid::parse(text.as_bytes()).map(Some).ok_or_else(|| invalid(field, "a UUID"))
    }

    /// A UUID.
    pub fn uuid(self, field: &str) -> Result<Uuid, Refusal> {
        self.required(field, self.opt_uuid(field)?)
    }

    /// An optional list.
    pub fn opt_list(self, field: &str) -> Result<Option<&'a [Value]>, Refusal> {
        match self.present(field) {
            None => Ok(None),
            Some(Value::Array(items)) if items.len() <= 1000 => Ok(Some(items)),
            Some(_) => Err(invalid(field, "a list of at most 1000 items")),
        }
    }

    /// An optional list of texts; absent is empty.
    pub fn texts(self, field: &str) -> Result<Vec<String>, Refusal> {
        let items = self.opt_list(field)?.unwrap_or(&[]);
        let text = |item: &Value| item.as_str().filter(|t| t.len() <= TEXT_MAX).map(str::to_string);
        items.iter().map(|item| text(item).ok_or_else(|| invalid(field, "a list of texts"))).collect()
    }

    /// An optional list of unsigned integers; absent is empty.
    pub fn u64s(self, field: &str) -> Result<Vec<u64>, Refusal> {
        let items = self.opt_list(field)?.unwrap_or(&[]);
        items.iter().map(|item| item.as_u64().ok_or_else(|| invalid(field, "a list of integers"))).collect()
    }

    /// Page number (from 1) and size (1 to 1000).
    pub fn page(self) -> Result<(usize, usize), Refusal> {
        let page = self.opt_u64("page")?.unwrap_or(1).clamp(1, 1 << 32) as usize;
        let size = self.opt_u64("page_size")?.unwrap_or(100).clamp(1, 1000) as usize;
        Ok((page, size))
    }
}

/// An address in hex with `0x`, any case.
pub fn parse_address(text: &str) -> Option<Address> {
    text.starts_with("0x").then(|| text.parse().ok()).flatten()
}

/// One page of rows and the `pagination` member.
pub fn paginate<T>(rows: Vec<T>, page: usize, size: usize) -> (Vec<T>, Value) {
    let count = rows.len();
    let rows = rows.into_iter().skip((page - 1).saturating_mul(size)).take(size).collect();
    (rows, serde_json::json!({ "count": count, "num_pages": count.div_ceil(size) }))
}
