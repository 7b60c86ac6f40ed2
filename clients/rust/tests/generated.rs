//! The files of `src/generated`: what the protocol gives.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, EnumValueDescriptor, ExtensionDescriptor,
    ReflectMessage,
};
use protox::Compiler;

/// If set, the files are written instead of compared.
const UPDATE: &str = "STEMWIRE_UPDATE";

const FILES: [&str; 5] = ["config", "engine", "session", "separation_service", "error_reason"];

/// The file of the reasons: no message uses its enums, so prost makes nothing of it.
const REASONS: &str = "stemwire/v1/error_reason.proto";

/// The messages and the calls.
const MESSAGES: &str = "stemwire.v1.rs";

#[test]
fn the_generated_files_are_what_the_protocol_gives() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut compiler = Compiler::new([root.join("../../proto")])?;
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(FILES.map(|name| format!("stemwire/v1/{name}.proto")))?;
    let mut messages = compiler.file_descriptor_set();
    messages.file.retain(|file| file.name() != REASONS);
    let scratch = tempfile::tempdir()?;
    tonic_prost_build::configure()
        .bytes(".stemwire.v1.StemChunk.pcm")
        .bytes(".stemwire.v1.SeparateRequest.chunk")
        .bytes(".stemwire.v1.UploadChunkRequest.data")
        .build_server(false)
        .out_dir(scratch.path())
        .compile_fds(messages)?;
    let messages = fs::read_to_string(scratch.path().join(MESSAGES))?;
    for (name, current) in
        [(MESSAGES, messages), ("reasons.rs", reasons(&compiler.descriptor_pool())?)]
    {
        let path = root.join("src/generated").join(name);
        if std::env::var_os(UPDATE).is_some() {
            fs::write(path, current)?;
        } else {
            let how = format!("run `{UPDATE}=1 cargo test -p stemwire-client --test generated`");
            assert!(fs::read_to_string(path)? == current, "{name} is not current: {how}");
        }
    }
    Ok(())
}

/// The Rust source of `ErrorReason`, `ChangeReason` and `Category`.
fn reasons(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let find = |name: &str| pool.get_enum_by_name(name).ok_or(format!("{name} is missing"));
    let errors = find("stemwire.v1.ErrorReason")?;
    let options = pool.get_extension_by_name("stemwire.v1.error").ok_or("no option `error`")?;
    let mut text = String::new();
    write_enum(&mut text, &errors)?;
    write_enum(&mut text, &find("stemwire.v1.ChangeReason")?)?;
    write_enum(&mut text, &find("stemwire.v1.ErrorOptions.Category")?)?;
    text += "impl ErrorReason {\n    fn options(self) -> ReasonOptions {\n        match self {\n";
    for value in values(&errors) {
        let options = read_options(&value, &options)
            .ok_or(format!("{} lacks a part of its option `error`", value.name()))?;
        writeln!(text, "            Self::{} => {options},", variant(&value))?;
    }
    text += "        }\n    }\n}\n";
    Ok(text)
}

fn write_enum(text: &mut String, descriptor: &EnumDescriptor) -> std::fmt::Result {
    let name = descriptor.name();
    writeln!(text, "///{}", comment(descriptor, descriptor.path()))?;
    *text += "#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]\n";
    *text += "#[serde(rename_all = \"SCREAMING_SNAKE_CASE\")]\n";
    writeln!(text, "pub enum {name} {{")?;
    for value in values(descriptor) {
        writeln!(text, "    ///{}", comment(descriptor, value.path()))?;
        writeln!(text, "    {} = {},", variant(&value), value.number())?;
    }
    writeln!(text, "}}\n\nimpl {name} {{\n    /// Every value, in the order of the proto.")?;
    writeln!(text, "    pub const ALL: &[{name}] = &[")?;
    for value in values(descriptor) {
        writeln!(text, "        Self::{},", variant(&value))?;
    }
    *text += "    ];\n\n    /// The name on the wire, in `UPPER_SNAKE`.\n";
    *text += "    pub const fn as_str(self) -> &'static str {\n        match self {\n";
    for value in values(descriptor) {
        writeln!(text, "            Self::{} => {:?},", variant(&value), wire_name(&value))?;
    }
    *text += "        }\n    }\n}\n\n";
    Ok(())
}

/// The values that mean something: all but the first.
fn values(descriptor: &EnumDescriptor) -> impl Iterator<Item = EnumValueDescriptor> {
    descriptor.values().filter(|value| value.number() != 0)
}

/// The expression of a value's options; `None` where one that must be set is not.
fn read_options(value: &EnumValueDescriptor, extension: &ExtensionDescriptor) -> Option<String> {
    let options = value.options();
    let options = options.get_extension(extension);
    let options: &DynamicMessage = options.as_message()?;
    let number = |name: &str| options.get_field_by_name(name)?.as_u32();
    let choice = |name: &str| options.get_field_by_name(name)?.as_enum_number();
    let (code, http_status) = (choice("code")?, number("http_status")?);
    let (retry_after_s, category) = (number("retry_after_s")?, choice("category")?);
    let remedy = options.get_field_by_name("remedy")?.as_str()?.to_owned();
    let categories = options.descriptor().get_field_by_name("category")?.kind();
    let category = variant(&categories.as_enum()?.get_value(category)?);
    let is_complete = code > 0 && (400..600).contains(&http_status) && !remedy.is_empty();
    (is_complete && category != "Unspecified").then(|| {
        format!(
            "ReasonOptions {{ code: {code}, http_status: {http_status}, retry_after_s: {retry_after_s}, \
             category: Category::{category}, remedy: {remedy:?} }}"
        )
    })
}

/// A value's name without the name of its enum before it.
fn wire_name(value: &EnumValueDescriptor) -> String {
    let mut prefix = String::new();
    for letter in value.parent_enum().name().chars() {
        if letter.is_ascii_uppercase() && !prefix.is_empty() {
            prefix.push('_');
        }
        prefix.push(letter.to_ascii_uppercase());
    }
    let name = value.name();
    name.strip_prefix(&format!("{prefix}_")).unwrap_or(name).to_owned()
}

/// A value's name as Rust writes it.
fn variant(value: &EnumValueDescriptor) -> String {
    let name = wire_name(value);
    let words = name.split('_').filter_map(|word| word.split_at_checked(1));
    words.map(|(first, rest)| first.to_owned() + &rest.to_lowercase()).collect()
}

/// The comment above what lies at `path` of the enum's file, in one line.
fn comment(descriptor: &EnumDescriptor, path: &[i32]) -> String {
    let file = descriptor.parent_file();
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let mut locations = info.into_iter().flat_map(|info| &info.location);
    let found = locations.find(|location| location.path == path);
    found.map_or("", |location| location.leading_comments()).trim_end().replace('\n', "")
}
