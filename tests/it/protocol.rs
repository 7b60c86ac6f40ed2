//! The error reasons of the proto: served by reflection, in the Rust table, in the docs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use prost_reflect::{DescriptorPool, EnumDescriptor, EnumValueDescriptor, Kind, Value};
use stemwire::proto::DESCRIPTORS;
use stemwire::proto::reason::{ChangeReason, ErrorReason};

const DOCS: &str = "docs/API.md";
const BEGIN: &str = "<!-- errors:begin -->\n";
const END: &str = "<!-- errors:end -->\n";

/// If set, the tables of the docs are written instead of compared.
const UPDATE: &str = "STEMWIRE_UPDATE";

fn pool() -> DescriptorPool {
    DescriptorPool::decode(DESCRIPTORS).unwrap()
}

fn values(pool: &DescriptorPool, name: &str) -> Vec<EnumValueDescriptor> {
    let descriptor = pool.get_enum_by_name(&format!("stemwire.v1.{name}")).unwrap();
    descriptor.values().filter(|value| value.number() != 0).collect()
}

/// The name of a value without `prefix`, the name of its enum.
fn name(value: &EnumValueDescriptor, prefix: &str) -> String {
    value.name().strip_prefix(prefix).unwrap().to_owned()
}

/// The option `error` of a value: field names and values as text.
fn options(pool: &DescriptorPool, value: &EnumValueDescriptor) -> BTreeMap<String, String> {
    let extension = pool.get_extension_by_name("stemwire.v1.error").unwrap();
    let options = value.options();
    let options = options.get_extension(&extension);
    let fields = options.as_message().unwrap().fields();
    let text = |kind: &Kind, value: &Value| match (kind, value) {
        (Kind::Enum(of), Value::EnumNumber(number)) => constant(of, *number),
        (_, value) => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
    };
    fields.map(|(field, value)| (field.name().to_owned(), text(&field.kind(), value))).collect()
}

fn constant(of: &EnumDescriptor, number: i32) -> String {
    let prefix = format!("{}_", of.name().to_ascii_uppercase());
    name(&of.get_value(number).unwrap(), &prefix)
}

/// The comment above a value.
fn comment(value: &EnumValueDescriptor) -> String {
    let file = value.parent_enum().parent_file();
    let info = file.file_descriptor_proto().source_code_info.as_ref().unwrap();
    let location = info.location.iter().find(|location| location.path == value.path()).unwrap();
    location.leading_comments().trim().replace("\n ", " ")
}

#[test]
fn the_table_in_rust_is_what_reflection_serves() {
    let pool = pool();
    let declared = values(&pool, "ErrorReason");
    assert_eq!(declared.len(), ErrorReason::ALL.len());
    for value in declared {
        let reason = ErrorReason::from_name(&name(&value, "ERROR_REASON_")).unwrap();
        let options = options(&pool, &value);
        assert_eq!(options["http_status"], reason.http_status().to_string(), "{reason}");
        assert_eq!(options["remedy"], reason.remedy(), "{reason}");
        assert_eq!(options["category"], format!("{:?}", reason.category()).to_uppercase());
        let retry = options.get("retry_after_s").map(|seconds| seconds.parse::<u64>().unwrap());
        assert_eq!(retry, reason.retry_after().map(|retry| retry.as_secs()), "{reason}");
        let code = tonic::Code::from_i32(reason.code());
        assert_eq!(options["code"].replace('_', ""), format!("{code:?}").to_uppercase());
    }
    let changes = values(&pool, "ChangeReason");
    let changes = changes.iter().map(|value| name(value, "CHANGE_REASON_"));
    assert!(changes.eq(ChangeReason::ALL.iter().map(|reason| reason.as_str())));
}

/// The table of all reasons, in Markdown.
fn table() -> String {
    let pool = pool();
    let mut table = "| reason | when | gRPC code | HTTP | retry after | exit code | remedy |\n\
                     |---|---|---|---|---|---|---|\n"
        .to_owned();
    for value in values(&pool, "ErrorReason") {
        let options = options(&pool, &value);
        let reason = ErrorReason::from_name(&name(&value, "ERROR_REASON_")).unwrap();
        let retry = options.get("retry_after_s").map_or_else(String::new, |s| format!("{s} s"));
        table += &format!(
            "| `{reason}` | {} | `{}` | {} | {retry} | {} {} | {} |\n",
            comment(&value),
            options["code"],
            options["http_status"],
            reason.category() as u8,
            options["category"].to_lowercase(),
            options["remedy"],
        );
    }
    table += "\n| reason of an engine change | when |\n|---|---|\n";
    for value in values(&pool, "ChangeReason") {
        table += &format!("| `{}` | {} |\n", name(&value, "CHANGE_REASON_"), comment(&value));
    }
    table
}

#[test]
fn the_tables_in_the_docs_are_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCS);
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let current = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&path, current).unwrap();
    } else {
        let how = format!("run `{UPDATE}=1 cargo test --test it protocol`");
        assert!(text == current, "{DOCS} is not what the proto gives: {how}");
    }
}
