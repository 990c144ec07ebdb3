//! A portal's rows and where it stands in them, as SQL's cursors and Execute move it.
//!
//! The steps are those of `DoPortalRunFetch` and `PortalRunSelect` in pquery.c. A cursor reads
//! relations at the versions that were pinned when it was opened, so it can go on reading them after its
//! transaction: what is held is the running statement, not a copy of its rows.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use bytes::Bytes;
use tokio::sync::Mutex;

use super::client::Client;
use super::failure::{Failure, Step};
use super::rows::{Rows, Tag};
use super::sqlstate::WireCondition;
use super::watch::Watch;
use crate::engine::{Column, Direction, Form};
use crate::error::{Error, ErrorKind, Limit};

/// Bytes of rows that one scrollable cursor keeps to go back to. Beyond it the cursor fails: what a
/// client scrolls through by hand is far smaller.
const KEPT_BYTES_MAX: usize = 256 << 20;

/// A cursor that its portal and the fetches of it share. A session does one thing at a time, so
/// nobody ever waits for it.
pub(super) type SharedCursor = Arc<Mutex<Cursor>>;

/// Rows, and a place among them.
#[derive(Debug)]
pub(super) struct Cursor {
    rows: Rows,
    /// What was read, if the cursor may go back.
    kept: Option<Kept>,
    /// The number of the row it is on, counted from 1; the last row's where it is behind that.
    position: u64,
    /// Whether it is before the first row.
    at_start: bool,
    /// Whether it is behind the last row.
    at_end: bool,
    /// Whether a step over it has begun and not ended well: where it stands is not known then.
    is_moving: bool,
}

/// The rows that were read.
#[derive(Debug, Default)]
struct Kept {
    batches: Vec<RecordBatch>,
    /// Rows before each batch.
    starts: Vec<u64>,
    n_rows: u64,
    n_bytes: usize,
}

/// What is left to do of a fetch.
#[derive(Debug)]
pub(super) struct Fetching {
    cursor: SharedCursor,
    todo: Todo,
}

/// Rows still to be given; `u64::MAX` are all there are.
#[derive(Clone, Copy, Debug)]
struct Todo {
    is_forward: bool,
    n_left: u64,
}

impl Todo {
    const NOTHING: Self = Self::forward(0);

    const fn forward(n_left: u64) -> Self {
        Self {
            is_forward: true,
            n_left,
        }
    }

    const fn backward(n_left: u64) -> Self {
        Self {
            is_forward: false,
            n_left,
        }
    }
}

impl Fetching {
    /// Moves the cursor to where the rows begin that this direction gives.
    ///
    /// # Errors
    /// `ObjectNotInPrerequisiteState`: it cannot go back, or failed before. What its statement
    /// fails with.
    pub(super) async fn start(
        cursor: &SharedCursor,
        direction: Direction,
        client: &mut Client,
        watch: &Watch,
    ) -> Step<Self> {
        let mut moved = cursor.lock().await;
        moved.check(direction)?;
        moved.is_moving = true;
        let todo = moved.seek(direction, client, watch).await?;
        moved.is_moving = todo.n_left > 0;
        drop(moved);
        Ok(Self {
            cursor: Arc::clone(cursor),
            todo,
        })
    }

    /// The next rows; `None` when there are no more to give.
    ///
    /// # Errors
    /// What the cursor's statement fails with.
    pub(super) async fn next(
        &mut self,
        client: &mut Client,
        watch: &Watch,
    ) -> Step<Option<RecordBatch>> {
        if self.todo.n_left == 0 {
            return Ok(None);
        }
        let mut cursor = self.cursor.lock().await;
        let batch = match self.todo.is_forward {
            true => cursor.forward(self.todo.n_left, client, watch).await?,
            false => cursor.backward(self.todo.n_left)?,
        };
        self.todo.n_left = match (&batch, self.todo.n_left) {
            (None, _) => 0,
            (Some(_), u64::MAX) => u64::MAX,
            (Some(batch), n_left) => n_left - batch.num_rows() as u64,
        };
        cursor.is_moving = self.todo.n_left > 0;
        Ok(batch)
    }

    /// Whether it gives all rows of its cursor, and those are kept.
    pub(super) async fn is_all_kept(&self) -> bool {
        let is_all = self.todo.is_forward && self.todo.n_left == u64::MAX;
        is_all && self.cursor.lock().await.is_all_kept().await
    }

    /// All rows as they were written in a form, and how many they are: the cursor is behind them then. Only for what
    /// [`Self::is_all_kept`].
    pub(super) async fn take_written(&mut self, form: &Form) -> Option<(Bytes, u64)> {
        let written = self.cursor.lock().await.take_written(form).await?;
        self.todo = Todo::NOTHING;
        Some(written)
    }

    /// Keeps how all rows were written in a form.
    pub(super) async fn keep_written(&self, form: Form, bytes: &[u8]) {
        self.cursor
            .lock()
            .await
            .rows
            .keep_written(form, bytes)
            .await;
    }

    /// Passes the rows without sending them; how many they were.
    ///
    /// # Errors
    /// What the cursor's statement fails with.
    pub(super) async fn skip(&mut self, client: &mut Client, watch: &Watch) -> Step<u64> {
        let mut n_rows = 0;
        while let Some(batch) = self.next(client, watch).await? {
            n_rows += batch.num_rows() as u64;
        }
        Ok(n_rows)
    }
}

impl Cursor {
    /// A cursor before the first of these rows.
    pub(super) fn new(rows: Rows, is_scrollable: bool) -> Self {
        Self {
            rows,
            kept: is_scrollable.then(Kept::default),
            position: 0,
            at_start: true,
            at_end: false,
            is_moving: false,
        }
    }

    /// The same, to be shared.
    pub(super) fn shared(self) -> SharedCursor {
        Arc::new(Mutex::new(self))
    }

    /// The rows' columns.
    pub(super) fn columns(&self) -> &[Column] {
        &self.rows.columns
    }

    /// The word of the statement's own command tag.
    pub(super) fn tag(&self) -> Tag {
        self.rows.tag
    }

    /// Whether all rows were given.
    pub(super) fn is_at_end(&self) -> bool {
        self.at_end
    }

    /// Whether it stands on a row.
    pub(super) fn is_on_row(&self) -> bool {
        !self.at_start && !self.at_end
    }

    /// Whether it stands before all its rows and need not go back to them, and they are kept.
    async fn is_all_kept(&self) -> bool {
        let is_before = self.at_start && !self.at_end && self.kept.is_none();
        is_before && self.rows.is_all_kept().await
    }

    /// All rows as they were written in a form, and how many they are; it stands behind them then.
    async fn take_written(&mut self, form: &Form) -> Option<(Bytes, u64)> {
        let (bytes, n_rows) = self.rows.take_written(form).await?;
        self.position = n_rows;
        self.at_start = n_rows == 0;
        self.at_end = true;
        self.is_moving = false;
        Some((bytes, n_rows))
    }

    /// Refuses what it cannot do, before it is moved.
    fn check(&self, direction: Direction) -> Result<(), Failure> {
        if self.is_moving {
            let message = "cursor cannot be used any more: a step over its rows did not end";
            return Err(Failure::error(
                WireCondition::ObjectNotInPrerequisiteState,
                message,
            ));
        }
        let goes_back = match direction {
            Direction::Forward(0) | Direction::Relative(0) => self.is_on_row(),
            Direction::Forward(_) => false,
            Direction::Backward(_) => true,
            Direction::Relative(n_rows) => n_rows < 0,
            Direction::Absolute(row) => match u64::try_from(row) {
                Ok(0) => !self.at_start || self.at_end,
                Ok(row) => row <= self.row_number(),
                Err(_) => true,
            },
        };
        if self.kept.is_some() || !goes_back {
            return Ok(());
        }
        Err(Failure {
            hint: Some("Declare it with SCROLL option to enable backward scan.".to_owned()),
            ..Failure::error(
                WireCondition::ObjectNotInPrerequisiteState,
                "cursor can only scan forward",
            )
        })
    }

    /// Goes to where the rows begin that this direction gives.
    async fn seek(
        &mut self,
        direction: Direction,
        client: &mut Client,
        watch: &Watch,
    ) -> Step<Todo> {
        Ok(match direction {
            Direction::Forward(0) | Direction::Relative(0) => match self.is_on_row() {
                true => {
                    self.go_back(1);
                    Todo::forward(1)
                }
                false => Todo::NOTHING,
            },
            Direction::Forward(n_rows) => Todo::forward(n_rows),
            Direction::Backward(n_rows) => Todo::backward(n_rows),
            Direction::Relative(n_rows @ 1..) => {
                self.pass(n_rows.unsigned_abs() - 1, client, watch).await?;
                Todo::forward(1)
            }
            Direction::Relative(n_rows) => {
                self.go_back(n_rows.unsigned_abs() - 1);
                Todo::backward(1)
            }
            Direction::Absolute(0) => {
                self.go_back(u64::MAX);
                Todo::NOTHING
            }
            Direction::Absolute(row @ 1..) => {
                let (row, here) = (row.unsigned_abs(), self.row_number());
                match row.checked_sub(here + 1) {
                    Some(n_between) => self.pass(n_between, client, watch).await?,
                    None => self.go_back(here + 1 - row),
                }
                Todo::forward(1)
            }
            Direction::Absolute(row) => {
                self.pass(u64::MAX, client, watch).await?;
                self.go_back(row.unsigned_abs() - 1);
                Todo::backward(1)
            }
        })
    }

    /// The number of the row it is on, where the place behind the last row has one too.
    fn row_number(&self) -> u64 {
        self.position + u64::from(self.at_end)
    }

    /// Passes rows forward.
    async fn pass(&mut self, n_rows: u64, client: &mut Client, watch: &Watch) -> Step {
        let mut n_left = n_rows;
        while n_left > 0 {
            let Some(batch) = self.forward(n_left, client, watch).await? else {
                return Ok(());
            };
            if n_left != u64::MAX {
                n_left -= batch.num_rows() as u64;
            }
        }
        Ok(())
    }

    /// Passes rows backward; at most to before the first.
    fn go_back(&mut self, n_rows: u64) {
        if n_rows == 0 || self.at_start {
            return;
        }
        self.position = self.row_number().saturating_sub(n_rows);
        self.at_start = self.position == 0;
        self.at_end = false;
    }

    /// The next rows, `n_max` at most.
    async fn forward(
        &mut self,
        n_max: u64,
        client: &mut Client,
        watch: &Watch,
    ) -> Step<Option<RecordBatch>> {
        if self.at_end {
            return Ok(None);
        }
        let again = self
            .kept
            .as_ref()
            .and_then(|kept| kept.from(self.position, n_max));
        let batch = match again {
            Some(batch) => Some(batch),
            None => self.read(n_max, client, watch).await?,
        };
        match &batch {
            Some(batch) => {
                self.position += batch.num_rows() as u64;
                self.at_start = false;
            }
            None => self.at_end = true,
        }
        Ok(batch)
    }

    /// Rows that were not read before; never none of them in a batch.
    async fn read(
        &mut self,
        n_max: u64,
        client: &mut Client,
        watch: &Watch,
    ) -> Step<Option<RecordBatch>> {
        loop {
            let batch = self.rows.take(client, watch, n_max).await?;
            match &batch {
                Some(batch) if batch.num_rows() == 0 => continue,
                Some(batch) => {
                    if let Some(kept) = &mut self.kept {
                        kept.push(batch)?;
                    }
                }
                None => {}
            }
            return Ok(batch);
        }
    }

    /// The rows before this one, the nearest first, `n_max` at most.
    fn backward(&mut self, n_max: u64) -> Result<Option<RecordBatch>, Failure> {
        if self.at_start {
            return Ok(None);
        }
        let last = self.row_number() - 1;
        let kept = self.kept.as_ref();
        let batch = kept.and_then(|kept| kept.up_to(last, n_max));
        let batch = batch.transpose().map_err(Error::internal)?;
        let n_rows = batch.as_ref().map_or(1, |batch| batch.num_rows() as u64);
        self.go_back(n_rows);
        Ok(batch)
    }
}

impl Kept {
    fn push(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let sizes = batch.columns().iter().map(|column| {
            let data = column.to_data();
            data.get_slice_memory_size().unwrap_or_default()
        });
        self.n_bytes += sizes.sum::<usize>();
        if self.n_bytes > KEPT_BYTES_MAX {
            let message = format!(
                "a scrollable cursor cannot keep more than {} MiB of rows",
                KEPT_BYTES_MAX >> 20
            );
            return Err(
                Error::new(ErrorKind::LimitExceeded(Limit::Configuration), message)
                    .with_hint("Declare it without SCROLL: it then keeps none.")
                    .into(),
            );
        }
        self.starts.push(self.n_rows);
        self.n_rows += batch.num_rows() as u64;
        self.batches.push(batch.clone());
        Ok(())
    }

    /// The batch that row number `row`, counted from 0, lies in, and its place there.
    fn find(&self, row: u64) -> Option<(&RecordBatch, usize)> {
        if row >= self.n_rows {
            return None;
        }
        let index = self.starts.partition_point(|start| *start <= row) - 1;
        let place = usize::try_from(row - self.starts[index]).ok()?;
        Some((&self.batches[index], place))
    }

    /// Rows from the one behind `position` on, of one batch.
    fn from(&self, position: u64, n_max: u64) -> Option<RecordBatch> {
        let (batch, first) = self.find(position)?;
        let n_max = usize::try_from(n_max).unwrap_or(usize::MAX);
        Some(batch.slice(first, n_max.min(batch.num_rows() - first)))
    }

    /// Rows back from the one of number `last`, counted from 1, of one batch.
    fn up_to(
        &self,
        last: u64,
        n_max: u64,
    ) -> Option<Result<RecordBatch, arrow::error::ArrowError>> {
        let (batch, index) = self.find(last.checked_sub(1)?)?;
        let index = index as u64;
        let first = (index + 1).saturating_sub(n_max);
        let backward = UInt64Array::from_iter_values((first..=index).rev());
        Some(take_record_batch(batch, &backward))
    }
}
