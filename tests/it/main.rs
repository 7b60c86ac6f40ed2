//! The integration tests, in one binary: it links once, and its tests share all cores.
//!
//! A test that needs a process of its own runs in one through [`support::process::in_own_process`].

// A test fails by panicking, and prints what it measured.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

mod audio;
mod decode;
mod doc_paths;
mod encode;
mod engine;
mod fuzz;
mod glossary;
mod hostile_models;
mod layering;
mod protocol;
mod published;
mod separation;
mod tasks;
mod type_names;
mod versions;
