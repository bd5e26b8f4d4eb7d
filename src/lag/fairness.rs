//! How evenly partitions are spread over the members of a group.

use super::report::Fairness;

/// The fairness of an assignment, from the number of partitions of each member, which it sorts.
///
/// The Gini coefficient of `x₁ ≤ … ≤ xₙ` is `Σ (2i − n − 1) xᵢ / (n Σ xᵢ)`. The most even split of `t` partitions over
/// `n` members gives `r = t mod n` of them one more than the others, and has `r (n − r) / (n t)`: 6 partitions over 10
/// members can't do better than 0.4, and are fair.
pub fn fairness(partitions: &mut [usize]) -> Fairness {
    partitions.sort_unstable();
    let idle_members = partitions.iter().take_while(|count| **count == 0).count();
    let idle_members = idle_members.try_into().unwrap_or(u32::MAX);
    let (members, total) = (partitions.len() as i64, partitions.iter().sum::<usize>() as i64);
    if members < 2 || total == 0 {
        return Fairness { gini: 0.0, excess: 0.0, idle_members };
    }
    let weighted =
        (1..).zip(partitions.iter()).map(|(rank, count)| (2 * rank - members - 1) * *count as i64).sum::<i64>();
    let rest = total % members;
    let even = rest * (members - rest);
    let whole = (members * total) as f64;
    Fairness { gini: weighted as f64 / whole, excess: (weighted - even) as f64 / whole, idle_members }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(counts: &[usize]) -> (f64, f64, u32) {
        let found = fairness(&mut counts.to_vec());
        (found.gini, found.excess, found.idle_members)
    }

    #[test]
    fn known_splits_have_their_figures() {
        for (counts, expected) in [
            (&[][..], (0.0, 0.0, 0)),
            (&[7], (0.0, 0.0, 0)),
            (&[0, 0], (0.0, 0.0, 2)),
            (&[2, 2, 2], (0.0, 0.0, 0)),
            (&[0, 4], (0.5, 0.5, 1)),
            (&[1, 3], (0.25, 0.25, 0)),
            (&[1, 2], (1.0 / 6.0, 0.0, 0)),
            (&[1, 1, 1, 1, 1, 1, 0, 0, 0, 0], (0.4, 0.0, 4)),
            (&[12, 0, 0, 0], (0.75, 0.75, 3)),
        ] {
            let found = of(counts);
            assert!(
                (found.0 - expected.0).abs() < 1e-12 && (found.1 - expected.1).abs() < 1e-12,
                "{counts:?}: {found:?}"
            );
            assert_eq!(found.2, expected.2, "{counts:?}");
        }
    }

    proptest! {
        #[test]
        fn it_is_what_the_definition_says(counts in prop::collection::vec(0..50_usize, 2..30)) {
            let (gini, excess, _) = of(&counts);
            let total: usize = counts.iter().sum();
            prop_assert!((0.0..1.0).contains(&gini) && (0.0..=gini).contains(&excess));
            if total > 0 {
                let pairs = counts.iter().flat_map(|a| counts.iter().map(move |b| a.abs_diff(*b))).sum::<usize>();
                let slow = pairs as f64 / (2.0 * counts.len() as f64 * total as f64);
                prop_assert!((gini - slow).abs() < 1e-9, "{gini} {slow}");
            }
        }

        #[test]
        fn the_most_even_split_has_no_excess_and_every_other_has(total in 0..200_usize, members in 2..30_usize) {
            let mut even: Vec<usize> = (0..members).map(|member| (total + member) / members).collect();
            prop_assert!(of(&even).1.abs() < 1e-12);
            if let Some(from) = (1..members).rev().find(|member| even[*member] > 0) {
                even[from] -= 1;
                even[0] += 1;
                let worse = even[0].abs_diff(even[from]) > 1;
                prop_assert_eq!(worse, of(&even).1 > 1e-12);
            }
        }

        #[test]
        fn neither_order_nor_scale_matters(mut counts in prop::collection::vec(0..50_usize, 2..30), scale in 1..9_usize) {
            let gini = of(&counts).0;
            counts.reverse();
            prop_assert_eq!(of(&counts).0, gini);
            counts.iter_mut().for_each(|count| *count *= scale);
            prop_assert!((of(&counts).0 - gini).abs() < 1e-12);
        }
    }
}
