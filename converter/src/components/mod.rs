//! One file for each kind of component.
