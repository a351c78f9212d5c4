//! What is stored under a key: `docs/entry-format.md` is the specification.

mod reject;

pub use reject::Reject;

use self::reject::too_short;
use crate::clock;
use crate::error::{Error, ErrorKind};
use std::any::type_name;
use std::hash::Hasher as _;
use std::time::Duration;
use twox_hash::XxHash3_64;

const MAGIC: [u8; 4] = *b"MEMO";
const VERSION: u8 = 1;
/// Up to and without the tags.
const FIXED: usize = 58;
const LENGTH: usize = 8;
const CHECKSUM: usize = 8;

/// What an entry says about its value.
///
/// ```
/// use memo_core::entry::{self, Header};
/// use std::time::Duration;
///
/// let header = Header {
///     codec: 1,
///     schema: entry::schema_of::<String>(),
///     created: 1_800_000_000_000,
///     fresh_until: Some(1_800_000_060_000),
///     keep_until: None,
///     load_cost: Duration::from_millis(12),
///     tag_sequence: 7,
///     tags: vec!["users".to_owned()],
/// };
/// let bytes = entry::write("memo:name:0:1", &header, &mut |out| Ok(out.extend(b"\x03Ann")))?;
/// let entry = entry::read("memo:name:0:1", &bytes).map_err(|reject| reject.reason()).unwrap();
/// assert_eq!(entry.header, header);
/// assert_eq!(entry.payload, b"\x03Ann");
/// assert!(entry::read("memo:name:0:2", &bytes).is_err());
/// # Ok::<(), memo_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The [`Codec::ID`](crate::codec::Codec::ID) of the payload.
    pub codec: u8,
    /// [`schema_of`] the value's type.
    pub schema: u64,
    /// When the load ended, in milliseconds since 1970.
    pub created: u64,
    /// When the value stops being fresh, in milliseconds since 1970; `None` is never.
    pub fresh_until: Option<u64>,
    /// When the value must not be used at all any more, in milliseconds since 1970; `None` is never.
    pub keep_until: Option<u64>,
    /// How long the load took. Kept in whole microseconds.
    pub load_cost: Duration,
    /// The number of the invalidation sequence that was read before the load began.
    pub tag_sequence: u64,
    /// The tags of the value.
    pub tags: Vec<String>,
}

impl Header {
    /// For how long the value is still fresh; `None` is for ever. The header may be by the clock of another machine, so
    /// this is never more than the value had when it was stored.
    pub(crate) fn left(&self) -> Option<Duration> {
        let until = self.fresh_until?;
        let whole = until.saturating_sub(self.created);
        Some(Duration::from_millis(until.saturating_sub(clock::wall_millis()).min(whole)))
    }
}

/// An entry that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What the entry says about its value.
    pub header: Header,
    /// The value in its codec's bytes, where they were read.
    pub payload: &'a [u8],
}

/// The fingerprint of a value's type: XXH3-64 of its name.
///
/// ```
/// use memo_core::entry::schema_of;
///
/// assert_eq!(schema_of::<Vec<u8>>(), schema_of::<Vec<u8>>());
/// assert_ne!(schema_of::<Vec<u8>>(), schema_of::<Vec<i8>>());
/// ```
#[must_use]
pub fn schema_of<V: ?Sized>() -> u64 {
    XxHash3_64::oneshot(type_name::<V>().as_bytes())
}

/// The bytes to store under `key`. `payload` appends the value in its codec's bytes to the buffer it is given, behind
/// what is there already, so that nothing is copied.
///
/// # Errors
///
/// Those of `payload`, and [`ErrorKind::Codec`] for more than 65,535 tags, a tag of more bytes than that, or a
/// `payload` that takes away bytes which aren't its own.
///
/// ```
/// use memo_core::entry::{self, Header};
///
/// let bytes = entry::write("key", &Header::default(), &mut |out| Ok(out.push(5)))?;
/// assert_eq!(bytes.len(), 75);
/// # Ok::<(), memo_core::Error>(())
/// ```
pub fn write(
    key: &str,
    header: &Header,
    payload: &mut dyn FnMut(&mut Vec<u8>) -> Result<(), Error>,
) -> Result<Vec<u8>, Error> {
    let tag_count = u16::try_from(header.tags.len()).map_err(|_| unfit(key, "has more than 65535 tags"))?;
    let tag_bytes: usize = header.tags.iter().map(|tag| 2 + tag.len()).sum();
    let start = FIXED + tag_bytes + LENGTH;
    // Most values are small: with this much room theirs need no second allocation.
    let mut out = Vec::with_capacity(start + 64 + CHECKSUM);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[VERSION, header.codec, 0, 0]);
    let micros = u64::try_from(header.load_cost.as_micros()).unwrap_or(u64::MAX);
    for number in [
        header.schema,
        header.created,
        time_to_number(header.fresh_until),
        time_to_number(header.keep_until),
        micros,
        header.tag_sequence,
    ] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&tag_count.to_le_bytes());
    for tag in &header.tags {
        let length = u16::try_from(tag.len()).map_err(|_| unfit(key, "has a tag of more than 65535 bytes"))?;
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(tag.as_bytes());
    }
    out.extend_from_slice(&[0; LENGTH]);
    payload(&mut out)?;
    let length = out.len().checked_sub(start).ok_or_else(|| unfit(key, "was cut short by its codec"))?;
    out[start - LENGTH..start].copy_from_slice(&(length as u64).to_le_bytes());
    out.extend_from_slice(&checksum(key, &out).to_le_bytes());
    Ok(out)
}

#[cold]
fn unfit(key: &str, what: &str) -> Error {
    Error::new(ErrorKind::Codec, format!("writing the entry {key}, which {what},"))
}

/// The entry in `bytes`, if it is one and was written under `key`. Allocates nothing but its tags.
///
/// # Errors
///
/// The first [`Reject`] that applies. No bytes make it panic.
///
/// ```
/// use memo_core::entry::{self, Header, Reject};
///
/// let mut bytes = entry::write("key", &Header::default(), &mut |out| Ok(out.push(5)))?;
/// assert_eq!(entry::read("key", &bytes).map(|entry| entry.payload), Ok(&[5][..]));
/// bytes[66] ^= 1;
/// assert_eq!(entry::read("key", &bytes), Err(Reject::Checksum));
/// # Ok::<(), memo_core::Error>(())
/// ```
pub fn read<'a>(key: &str, bytes: &'a [u8]) -> Result<Entry<'a>, Reject> {
    Unverified::read(bytes)?.verify(key)
}

/// What the entry in `bytes` says about its value, without a look at the value: of a large entry only the first bytes
/// are read. It doesn't find damage, since the checksum is over all bytes: for lists and counts, not for a hit.
///
/// # Errors
///
/// The first [`Reject`] that applies, but for [`Reject::Checksum`]. No bytes make it panic.
///
/// ```
/// use memo_core::entry::{self, Header};
/// use std::time::Duration;
///
/// let header = Header { load_cost: Duration::from_millis(12), ..Header::default() };
/// let bytes = entry::write("key", &header, &mut |out| Ok(out.push(5)))?;
/// assert_eq!(entry::read_header(&bytes), Ok(header));
/// assert!(entry::read_header(&bytes[1..]).is_err());
/// # Ok::<(), memo_core::Error>(())
/// ```
pub fn read_header(bytes: &[u8]) -> Result<Header, Reject> {
    Unverified::read(bytes)?.with_tags().map(|entry| entry.header)
}

/// An entry whose parts add up, but whose checksum and tags were not looked at.
pub(crate) struct Unverified<'a> {
    entry: Entry<'a>,
    tags: Reader<'a>,
    tag_count: u16,
    /// All that the checksum is over.
    covered: &'a [u8],
    sum: u64,
}

impl<'a> Unverified<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Reject> {
        let (covered, sum) = bytes.split_last_chunk::<CHECKSUM>().ok_or_else(|| too_short(bytes))?;
        if covered.len() < FIXED + LENGTH {
            return Err(too_short(bytes));
        }
        let mut rest = Reader(covered);
        if rest.array()? != MAGIC {
            return Err(Reject::Magic);
        }
        let [version, codec] = rest.array()?;
        if version != VERSION {
            return Err(Reject::Version);
        }
        if rest.array()? != [0, 0] {
            return Err(Reject::Flags);
        }
        let header = Header {
            codec,
            schema: rest.number()?,
            created: rest.number()?,
            fresh_until: number_to_time(rest.number()?),
            keep_until: number_to_time(rest.number()?),
            load_cost: Duration::from_micros(rest.number()?),
            tag_sequence: rest.number()?,
            tags: Vec::new(),
        };
        let tag_count = rest.short()?;
        let tags = rest.clone();
        for _ in 0..tag_count {
            rest.text()?;
        }
        let length = rest.number()?;
        if length != rest.0.len() as u64 {
            return Err(Reject::Length);
        }
        let entry = Entry { header, payload: rest.0 };
        Ok(Unverified { entry, tags, tag_count, covered, sum: u64::from_le_bytes(*sum) })
    }

    /// The header without its tags.
    pub(crate) fn header(&self) -> &Header {
        &self.entry.header
    }

    pub(crate) fn payload(&self) -> &'a [u8] {
        self.entry.payload
    }

    /// The entry, if it is whole and of this key.
    pub(crate) fn verify(self, key: &str) -> Result<Entry<'a>, Reject> {
        if checksum(key, self.covered) == self.sum { self.with_tags() } else { Err(Reject::Checksum) }
    }

    /// The checksum up to here in the payload; the rest of it is for the caller to add.
    pub(crate) fn checksum(&self, key: &str, in_payload: usize) -> Sum {
        let start = self.covered.len() - self.payload().len() + in_payload;
        let mut sum = XxHash3_64::with_seed(XxHash3_64::oneshot(key.as_bytes()));
        sum.write(&self.covered[..start]);
        Sum { sum, expected: self.sum }
    }

    pub(crate) fn with_tags(mut self) -> Result<Entry<'a>, Reject> {
        self.entry.header.tags = self.tags.texts(self.tag_count)?;
        Ok(self.entry)
    }
}

/// A checksum that is being added up.
pub(crate) struct Sum {
    sum: XxHash3_64,
    expected: u64,
}

impl Sum {
    #[inline]
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.sum.write(bytes);
    }

    pub(crate) fn is_right(&self) -> bool {
        self.sum.finish() == self.expected
    }
}

pub(super) fn checksum(key: &str, bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot(key.as_bytes()), bytes)
}

/// The very first millisecond of 1970 would read as "never".
fn time_to_number(time: Option<u64>) -> u64 {
    time.map_or(0, |millis| millis.max(1))
}

fn number_to_time(number: u64) -> Option<u64> {
    (number != 0).then_some(number)
}

#[derive(Clone)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Reject> {
        let (first, rest) = self.0.split_first_chunk().ok_or(Reject::Length)?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u64, Reject> {
        self.array().map(u64::from_le_bytes)
    }

    fn short(&mut self) -> Result<u16, Reject> {
        self.array().map(u16::from_le_bytes)
    }

    fn text(&mut self) -> Result<&'a [u8], Reject> {
        let length = usize::from(self.short()?);
        let (text, rest) = self.0.split_at_checked(length).ok_or(Reject::Length)?;
        self.0 = rest;
        Ok(text)
    }

    /// The count was checked against the bytes before, so what is reserved is there.
    fn texts(mut self, count: u16) -> Result<Vec<String>, Reject> {
        let mut texts = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let text = std::str::from_utf8(self.text()?).map_err(|_| Reject::Tag)?;
            texts.push(text.to_owned());
        }
        Ok(texts)
    }
}
