//! The only room that knows Node. JavaScript reaches it through `lib/`, which has checked all arguments.

mod binding;
mod capture;
mod cells;
mod codec;
mod error;
mod identities;
mod lock;
mod packed;
mod rows;
mod session;
