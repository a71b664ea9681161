//! Who may come in, and what they may do there: `docs/reference/authentication.md` and `authorization.md`, cell by cell.

mod certificates;
mod doors;
mod files;
mod live;
mod matrix;
mod operators;
mod policies;
mod recorded;
mod reload;
mod site;
