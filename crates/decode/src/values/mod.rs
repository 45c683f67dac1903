//! Text of one cell to one value, form by form.
