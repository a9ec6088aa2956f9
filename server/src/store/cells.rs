//! Where a shard keeps its objects: pages of up to 64 equal cells, one page size for each size of object.
//!
//! A small object's key and value lie in its cell; of a larger one, the cell holds the `Bytes`. A page without
//! objects is freed at once, and [`Cells::sparse_page`] names pages whose objects may move together, so memory
//! follows what is stored, whatever the allocator does. The lists that run through entries are not kept here.

use bytes::Bytes;

use super::entry::{Cell, Entry};

/// Key, value and inline content type of a small object take at most this much together.
pub(super) const MAX_PACKED_BYTES: usize = 1024;

/// What an object takes beyond its bytes, as measured: its entry (40), its share of the table (6 to 12), the
/// unused end of its cell, its share of pages with room.
pub(super) const OVERHEAD_BYTES: usize = 64;
/// What a large object takes beyond that: two handles, two allocations, the count of a shared value.
const LOOSE_OVERHEAD_BYTES: usize = 112;

/// Up to here sizes are told apart by 8 bytes, above by 32.
const FINE_BYTES: usize = 256;
const FINE_STEP: usize = 8;
const COARSE_STEP: usize = 32;
const CLASSES: usize = 1 + FINE_BYTES / FINE_STEP + (MAX_PACKED_BYTES - FINE_BYTES) / COARSE_STEP;

/// Which pages an object belongs into: those of [`Class::LOOSE`], or those with room for its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class(u8);

impl Class {
    /// For objects whose bytes are outside the page.
    pub(super) const LOOSE: Self = Self(0);

    #[expect(clippy::cast_possible_truncation, reason = "there are fewer than 256 classes")]
    pub(super) const fn of(bytes: usize) -> Self {
        if bytes > MAX_PACKED_BYTES {
            Self::LOOSE
        } else if bytes > FINE_BYTES {
            Self((FINE_BYTES / FINE_STEP + (bytes - FINE_BYTES).div_ceil(COARSE_STEP)) as u8)
        } else {
            Self(bytes.div_ceil(FINE_STEP) as u8)
        }
    }

    const fn cell_bytes(self) -> usize {
        let fine = FINE_BYTES / FINE_STEP;
        let class = self.0 as usize;
        if class <= fine { class * FINE_STEP } else { FINE_BYTES + (class - fine) * COARSE_STEP }
    }

    const fn index(self) -> usize {
        self.0 as usize
    }
}

const fn cost(class: Class, bytes: usize) -> u64 {
    let loose = if class.0 == Class::LOOSE.0 { LOOSE_OVERHEAD_BYTES } else { 0 };
    (bytes + OVERHEAD_BYTES + loose) as u64
}

/// The bytes of an object, in the order in which they are stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    /// The content type, if it has no number.
    pub(super) media: Option<&'a str>,
    pub(super) key: &'a [u8],
    pub(super) value: &'a Bytes,
}

impl Parts<'_> {
    /// How many bytes come before the value.
    fn head_bytes(&self) -> usize {
        self.media.map_or(0, |media| 1 + media.len()) + self.key.len()
    }

    fn bytes(&self) -> usize {
        self.head_bytes() + self.value.len()
    }

    pub(super) fn class(&self) -> Class {
        Class::of(self.bytes())
    }

    /// What the object counts for in `store.max_bytes`: its bytes, and what keeping them takes.
    pub(super) fn cost(&self) -> u64 {
        cost(self.class(), self.bytes())
    }

    fn write_head(&self, mut out: &mut [u8]) {
        let length = self.media.map(|media| [u8::try_from(media.len()).unwrap_or(u8::MAX)]);
        let pieces =
            [length.as_ref().map_or(&[][..], |length| length), self.media.unwrap_or("").as_bytes(), self.key];
        for piece in pieces {
            let (to, rest) = out.split_at_mut(piece.len());
            to.copy_from_slice(piece);
            out = rest;
        }
    }
}

/// The bytes of an object outside the page.
#[derive(Debug, Default)]
struct Loose {
    head: Box<[u8]>,
    value: Bytes,
}

#[derive(Debug)]
enum Body {
    Packed(Box<[u8]>),
    Loose(Box<[Loose]>),
}

#[derive(Debug)]
struct Page {
    entries: Box<[Entry]>,
    body: Body,
    class: Class,
    /// A bit for each cell in use.
    used: u64,
    /// Where this page stands among its class's pages with room, if it does.
    open_at: Option<u32>,
}

impl Page {
    fn absent() -> Self {
        Self {
            entries: Box::default(),
            body: Body::Packed(Box::default()),
            class: Class::LOOSE,
            used: 0,
            open_at: None,
        }
    }

    fn new(class: Class, cells: usize) -> Self {
        let body = if class == Class::LOOSE {
            Body::Loose((0..cells).map(|_| Loose::default()).collect())
        } else {
            Body::Packed(vec![0; cells * class.cell_bytes()].into_boxed_slice())
        };
        Self { entries: (0..cells).map(|_| Entry::vacant()).collect(), body, class, used: 0, open_at: None }
    }

    fn is_full(&self) -> bool {
        self.used.count_ones() as usize == self.entries.len()
    }

    fn range(&self, place: usize) -> std::ops::Range<usize> {
        let size = self.class.cell_bytes();
        place * size..(place + 1) * size
    }
}

/// The pages of one class.
#[derive(Debug, Default)]
struct Stock {
    /// Pages with room.
    open: Vec<u32>,
    cells: usize,
    live: usize,
}

/// All pages of a shard.
#[derive(Debug)]
pub(super) struct Cells {
    pages: Vec<Page>,
    /// Numbers of absent pages.
    absent: Vec<u32>,
    stocks: [Stock; CLASSES],
}

impl Default for Cells {
    fn default() -> Self {
        Self { pages: Vec::new(), absent: Vec::new(), stocks: std::array::from_fn(|_| Stock::default()) }
    }
}

impl Cells {
    /// A vacant cell of `class`, now in use; none when every page number is taken.
    pub(super) fn allocate(&mut self, class: Class) -> Option<Cell> {
        let number = match self.stocks[class.index()].open.last() {
            Some(number) => *number as usize,
            None => self.add_page(class)?,
        };
        let page = &mut self.pages[number];
        let place = page.used.trailing_ones() as usize;
        page.used |= 1 << place;
        let full = page.is_full();
        self.stocks[class.index()].live += 1;
        if full {
            self.close(number);
        }
        Some(Cell::new(number, place))
    }

    /// Takes `cell` out of use, and its bytes with it.
    pub(super) fn release(&mut self, cell: Cell) {
        let page = &mut self.pages[cell.page()];
        if let Body::Loose(loose) = &mut page.body {
            loose[cell.place()] = Loose::default();
        }
        page.used &= !(1 << cell.place());
        let (class, empty) = (page.class, page.used == 0);
        self.stocks[class.index()].live -= 1;
        if empty {
            self.drop_page(cell.page());
        } else {
            self.open(cell.page());
        }
    }

    pub(super) fn entry(&self, cell: Cell) -> &Entry {
        &self.pages[cell.page()].entries[cell.place()]
    }

    pub(super) fn entry_mut(&mut self, cell: Cell) -> &mut Entry {
        &mut self.pages[cell.page()].entries[cell.place()]
    }

    pub(super) fn class(&self, cell: Cell) -> Class {
        self.pages[cell.page()].class
    }

    /// Puts an object's bytes into `cell`, which is of their class.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "keys, and values in pages, are at most 1024 bytes long"
    )]
    pub(super) fn write(&mut self, cell: Cell, parts: &Parts<'_>) {
        let page = &mut self.pages[cell.page()];
        let range = page.range(cell.place());
        let entry = &mut page.entries[cell.place()];
        entry.key_bytes = parts.key.len() as u16;
        match &mut page.body {
            Body::Packed(bytes) => {
                entry.value_bytes = parts.value.len() as u16;
                let (head, rest) = bytes[range].split_at_mut(parts.head_bytes());
                parts.write_head(head);
                rest[..parts.value.len()].copy_from_slice(parts.value);
            }
            Body::Loose(loose) => {
                let mut head = vec![0; parts.head_bytes()].into_boxed_slice();
                parts.write_head(&mut head);
                loose[cell.place()] = Loose { head, value: parts.value.clone() };
            }
        }
    }

    /// The inline content type, the key, and the value if it is in the page too.
    fn split(&self, cell: Cell) -> (&[u8], &[u8], &[u8]) {
        let page = &self.pages[cell.page()];
        let entry = &page.entries[cell.place()];
        let bytes = match &page.body {
            Body::Packed(bytes) => &bytes[page.range(cell.place())],
            Body::Loose(loose) => &loose[cell.place()].head,
        };
        let inline = entry.media == super::media::Media::INLINE;
        let (media, rest) = match bytes {
            [length, rest @ ..] if inline => rest.split_at(usize::from(*length)),
            _ => bytes.split_at(0),
        };
        let (key, rest) = rest.split_at(usize::from(entry.key_bytes));
        (media, key, &rest[..usize::from(entry.value_bytes).min(rest.len())])
    }

    pub(super) fn media(&self, cell: Cell) -> &[u8] {
        self.split(cell).0
    }

    pub(super) fn key(&self, cell: Cell) -> &[u8] {
        self.split(cell).1
    }

    /// The value: a copy if it lies in a page, else another handle on it.
    pub(super) fn value(&self, cell: Cell) -> Bytes {
        match &self.pages[cell.page()].body {
            Body::Packed(_) => Bytes::copy_from_slice(self.split(cell).2),
            Body::Loose(loose) => loose[cell.place()].value.clone(),
        }
    }

    /// What the object in `cell` counts for: see [`Parts::cost`].
    pub(super) fn cost(&self, cell: Cell) -> u64 {
        let page = &self.pages[cell.page()];
        let entry = &page.entries[cell.place()];
        let (head, value) = match &page.body {
            Body::Packed(_) => (self.head_bytes(cell), usize::from(entry.value_bytes)),
            Body::Loose(loose) => (loose[cell.place()].head.len(), loose[cell.place()].value.len()),
        };
        cost(page.class, head + value)
    }

    fn head_bytes(&self, cell: Cell) -> usize {
        let (media, key, _) = self.split(cell);
        let inline = if self.entry(cell).media == super::media::Media::INLINE { 1 + media.len() } else { 0 };
        inline + key.len()
    }

    /// Moves an entry, without its bytes, from one cell to another.
    pub(super) fn move_entry(&mut self, from: Cell, to: Cell) {
        let entry = std::mem::replace(self.entry_mut(from), Entry::vacant());
        *self.entry_mut(to) = entry;
    }

    /// Moves an object's bytes from one cell to another of the same class.
    pub(super) fn move_bytes(&mut self, from: Cell, to: Cell) {
        if let Ok([source, target]) = self.pages.get_disjoint_mut([from.page(), to.page()]) {
            let (range, target_range) = (source.range(from.place()), target.range(to.place()));
            match (&mut source.body, &mut target.body) {
                (Body::Packed(source), Body::Packed(target)) => {
                    target[target_range].copy_from_slice(&source[range])
                }
                (Body::Loose(source), Body::Loose(target)) => {
                    std::mem::swap(&mut source[from.place()], &mut target[to.place()]);
                }
                _ => debug_assert!(false, "two pages of one class have the same kind of body"),
            }
        }
    }

    /// A page whose objects fit into other pages of its class, if so much room lies idle that moving them
    /// pays. Nothing is allocated in it until one of its cells is released.
    pub(super) fn sparse_page(&mut self) -> Option<SparsePage> {
        let wasteful = |stock: &&Stock| stock.cells - stock.live > Cell::PER_PAGE + stock.live / 4;
        let stock = self.stocks.iter().find(wasteful)?;
        let used = |number: &u32| self.pages[*number as usize].used.count_ones();
        let number = stock.open.iter().copied().min_by_key(used)? as usize;
        let page = &self.pages[number];
        let sparse = SparsePage { number, class: page.class, used: page.used };
        self.close(number);
        Some(sparse)
    }

    /// Bytes allocated for pages.
    pub(super) fn allocated_bytes(&self) -> usize {
        let page = |page: &Page| match &page.body {
            Body::Packed(bytes) => bytes.len() + size_of_val(&*page.entries),
            Body::Loose(loose) => size_of_val(&**loose) + size_of_val(&*page.entries),
        };
        self.pages.iter().map(page).sum::<usize>() + self.pages.capacity() * size_of::<Page>()
    }

    fn add_page(&mut self, class: Class) -> Option<usize> {
        let stock = &mut self.stocks[class.index()];
        // A class with few objects gets small pages, so that a small store with many sizes stays small.
        let cells = stock.live.next_power_of_two().clamp(4, Cell::PER_PAGE);
        let number = match self.absent.pop() {
            Some(number) => number as usize,
            None if self.pages.len() < Cell::MAX_PAGES => {
                self.pages.push(Page::absent());
                self.pages.len() - 1
            }
            None => return None,
        };
        stock.cells += cells;
        self.pages[number] = Page::new(class, cells);
        self.open(number);
        Some(number)
    }

    fn drop_page(&mut self, number: usize) {
        self.close(number);
        let page = std::mem::replace(&mut self.pages[number], Page::absent());
        self.stocks[page.class.index()].cells -= page.entries.len();
        self.absent.push(short(number));
    }

    /// Notes that a page has room.
    fn open(&mut self, number: usize) {
        let page = &mut self.pages[number];
        if page.open_at.is_none() {
            let open = &mut self.stocks[page.class.index()].open;
            page.open_at = Some(short(open.len()));
            open.push(short(number));
        }
    }

    /// Notes that a page is not to be allocated from.
    fn close(&mut self, number: usize) {
        let Some(at) = self.pages[number].open_at.take() else { return };
        let open = &mut self.stocks[self.pages[number].class.index()].open;
        open.swap_remove(at as usize);
        if let Some(moved) = open.get(at as usize) {
            self.pages[*moved as usize].open_at = Some(at);
        }
    }
}

/// A page to be emptied.
#[derive(Clone, Copy, Debug)]
pub(super) struct SparsePage {
    number: usize,
    pub(super) class: Class,
    used: u64,
}

impl SparsePage {
    /// The cells in use.
    pub(super) fn cells(self) -> impl Iterator<Item = Cell> {
        (0..Cell::PER_PAGE)
            .filter(move |place| self.used & (1 << place) != 0)
            .map(move |place| Cell::new(self.number, place))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "there are at most Cell::MAX_PAGES pages")]
const fn short(number: usize) -> u32 {
    number as u32
}
