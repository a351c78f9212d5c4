//! Many entries in parts, each of which a backend takes at once.

/// Parts of some items: at most `most` of them, of at most `bytes` together. One that has more is alone.
pub(crate) fn batches<T>(
    items: &[T],
    most: usize,
    bytes: usize,
    size: impl Fn(&T) -> usize,
) -> impl Iterator<Item = &[T]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let mut left = bytes;
        let fits = |item: &T| left.checked_sub(size(item)).map(|less| left = less).is_some();
        let count = rest.iter().take(most).map(fits).take_while(|fits| *fits).count().max(1);
        let (part, others) = rest.split_at_checked(count)?;
        rest = others;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::batches;

    fn parts(sizes: &[usize], most: usize, bytes: usize) -> Vec<Vec<usize>> {
        batches(sizes, most, bytes, |size| *size).map(<[usize]>::to_vec).collect()
    }

    #[test]
    fn parts_are_bounded_and_leave_nothing_out() {
        assert!(parts(&[], 3, 10).is_empty());
        assert_eq!(parts(&[1, 1, 1, 1], 3, 10), [vec![1, 1, 1], vec![1]]);
        assert_eq!(parts(&[5, 5, 1, 9], 3, 10), [vec![5, 5], vec![1, 9]]);
        assert_eq!(parts(&[11, 1, 12, 12, 0], 3, 10), [vec![11], vec![1], vec![12], vec![12], vec![0]]);
        assert_eq!(parts(&[0, 0, 0], 2, 0), [vec![0, 0], vec![0]]);
        assert_eq!(parts(&[usize::MAX, usize::MAX], 2, usize::MAX), [vec![usize::MAX], vec![usize::MAX]]);
    }
}
