//! What an option vault does.
