//! Small ELF files for the tests, made in memory.

use object::write::{Object, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope};

/// A relocatable file with these functions, as (name, bytes of code), and this build id; an empty one leaves it out.
pub(crate) fn elf(build_id: &[u8], functions: &[(&str, u64)]) -> Vec<u8> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    if !build_id.is_empty() {
        let section = object.add_section(Vec::new(), b".note.gnu.build-id".to_vec(), SectionKind::Note);
        let length = u32::try_from(build_id.len()).expect("a short build id");
        let mut note = [4, length, 3].map(u32::to_le_bytes).concat();
        note.extend_from_slice(b"GNU\0");
        note.extend_from_slice(build_id);
        object.append_section_data(section, &note, 4);
    }
    let text = object.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
    for (name, size) in functions {
        let code = vec![0x90; usize::try_from(*size).expect("a small function")];
        let value = object.append_section_data(text, &code, 1);
        object.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value,
            size: *size,
            kind: SymbolKind::Text,
            scope: SymbolScope::Linkage,
            weak: false,
            section: SymbolSection::Section(text),
            flags: SymbolFlags::None,
        });
    }
    object.write().expect("a sound file")
}
