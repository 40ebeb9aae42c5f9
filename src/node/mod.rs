//! The only module that knows Node. JavaScript calls it through `lib/`, which checks all arguments.

mod binding;
mod capture;
mod cells;
mod codec;
mod error;
mod identities;
mod lasting;
mod latin1;
mod lock;
mod packed;
mod rows;
mod session;
