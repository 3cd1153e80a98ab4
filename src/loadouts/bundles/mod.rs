//! Bundles that were added here: fetched, kept, approved, and given to threads by name.
//!
//! A bundle's content lies in the store like any snapshot, under its digest. What a thread is given is a snapshot of
//! that, so a bundle that is updated or removed takes nothing from a thread that lives.

mod add;
mod approve;
mod fetching;
mod foreign;
mod gate;
mod linked;
mod lock;
mod remove;
mod shelf;
mod signed;
mod sync;
mod update;
mod verify;
mod view;

pub(crate) use fetching::Waiting;
pub(crate) use linked::LinkedFolders;
pub(crate) use sync::SyncOptions;
