//! Where a shard keeps its objects: pages of up to 64 equal cells, one page size for each size of object.
//!
//! A small object's key and value lie in its cell; of a larger one, the cell holds the `Bytes`. A page without
//! objects is freed at once, and [`Cells::sparse_page`] names pages whose objects may move together, so memory
//! follows what is stored, whatever the allocator does. The lists that run through entries are not kept here.

use bytes::Bytes;

use super::entry::{Cell, Entry};
use super::media::Media;
use super::parts::{CLASSES, Class, Parts, cost};

/// Objects of a class are not moved together for fewer cells.
const TOLERATED_IDLE_CELLS: usize = 8;
/// What the cells of a page take together, at most, unless that were fewer than four.
const FULL_PAGE_BYTES: usize = 4096;
const MIN_PAGE_CELLS: usize = 4;

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
            let bytes = cells * class.cell_bytes();
            // The odd rest of a full page is taken too: all full pages can take each other's place.
            let is_full_page = bytes + class.cell_bytes() > FULL_PAGE_BYTES;
            let bytes = if is_full_page { bytes.max(FULL_PAGE_BYTES) } else { bytes };
            Body::Packed(vec![0; bytes].into_boxed_slice())
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
        let inline = entry.media == Media::INLINE;
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
        let inline = if self.entry(cell).media == Media::INLINE { 1 + media.len() } else { 0 };
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
                    target[target_range].copy_from_slice(&source[range]);
                }
                (Body::Loose(source), Body::Loose(target)) => {
                    std::mem::swap(&mut source[from.place()], &mut target[to.place()]);
                }
                _ => debug_assert!(false, "two pages of one class have the same kind of body"),
            }
        }
    }

    /// A page whose objects had better move to other cells of their class, if so much room lies idle that it
    /// pays. Nothing is allocated in it until one of its cells is released.
    pub(super) fn sparse_page(&mut self) -> Option<SparsePage> {
        let number = self.stocks.iter().find_map(|stock| self.sparsest(stock))?;
        let page = &self.pages[number];
        let sparse = SparsePage { number, class: page.class, used: page.used };
        self.close(number);
        Some(sparse)
    }

    fn sparsest(&self, stock: &Stock) -> Option<usize> {
        let idle = stock.cells - stock.live;
        if idle <= TOLERATED_IDLE_CELLS + stock.live / 16 {
            return None;
        }
        let used = |number: usize| self.pages[number].used.count_ones() as usize;
        let number = stock.open.iter().map(|number| *number as usize).min_by_key(|number| used(*number))?;
        let (used, cells) = (used(number), self.pages[number].entries.len());
        let fits_elsewhere = used <= idle - (cells - used);
        let fits_half = page_cells(self.pages[number].class, stock.live) * 2 <= cells;
        (fits_elsewhere || fits_half).then_some(number)
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
        let cells = page_cells(class, stock.live);
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

/// How many cells a new page has in a class of `live` objects. Where there are few, pages are small, so that a
/// small store with objects of many sizes stays small; where there are many, pages of all classes take about
/// the same memory, so that what one class gives up another can use.
fn page_cells(class: Class, live: usize) -> usize {
    let most = FULL_PAGE_BYTES.checked_div(class.cell_bytes()).unwrap_or(Cell::PER_PAGE);
    live.next_power_of_two().min(most).clamp(MIN_PAGE_CELLS, Cell::PER_PAGE)
}

#[expect(clippy::cast_possible_truncation, reason = "there are at most Cell::MAX_PAGES pages")]
const fn short(number: usize) -> u32 {
    number as u32
}
