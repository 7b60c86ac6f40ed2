//! Computes the requested stems from a model's stems.

use crate::audio::{StemName, Stereo};
use crate::session::settings::Accompaniment;

/// How a requested stem is computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StemRecipe {
    /// This stem of the model.
    Own(usize),
    /// The sum of these stems of the model.
    Sum(Vec<usize>),
    /// The mixture minus these stems of the model.
    Minus(Vec<usize>),
}

/// The recipes of the `wanted` stems for a model with the stems `own`; `None` if one cannot be computed.
pub(super) fn recipes(
    wanted: &[StemName],
    own: &[StemName],
    accompaniment: Accompaniment,
) -> Option<Vec<StemRecipe>> {
    let index_of = |name: &str| own.iter().position(|stem| stem.as_str() == name);
    // A stem of the model, or its parts.
    let indexes_of = |name: &str| match index_of(name) {
        Some(index) => Some(vec![index]),
        None => StemName::parts(name).iter().map(|part| index_of(part)).collect(),
    };
    let indexes_of = |name: &str| indexes_of(name).filter(|indexes: &Vec<_>| !indexes.is_empty());
    let recipe = |name: &StemName| {
        let left_out = name.left_out().and_then(indexes_of);
        if let (Accompaniment::Minus, Some(left_out)) = (accompaniment, &left_out) {
            return Some(StemRecipe::Minus(left_out.clone()));
        }
        if let Some(indexes) = indexes_of(name.as_str()) {
            return Some(StemRecipe::of_sum(indexes));
        }
        let left_out = left_out?;
        let others: Vec<_> = (0..own.len()).filter(|index| !left_out.contains(index)).collect();
        Some(match others.is_empty() {
            // A model of that stem alone has nothing to sum.
            true => StemRecipe::Minus(left_out),
            false => StemRecipe::of_sum(others),
        })
    };
    wanted.iter().map(recipe).collect()
}

/// Which of a model's `count` stems `recipes` need.
pub(super) fn wanted(recipes: &[StemRecipe], count: usize) -> Vec<bool> {
    let mut wanted = vec![false; count];
    recipes.iter().flat_map(StemRecipe::of).for_each(|&index| wanted[index] = true);
    wanted
}

/// Whether any recipe needs the mixture.
pub(super) fn needs_mix(recipes: &[StemRecipe]) -> bool {
    recipes.iter().any(|recipe| matches!(recipe, StemRecipe::Minus(_)))
}

impl StemRecipe {
    /// The sum of one or more stems.
    fn of_sum(indexes: Vec<usize>) -> StemRecipe {
        match indexes[..] {
            [only] => StemRecipe::Own(only),
            _ => StemRecipe::Sum(indexes),
        }
    }

    /// Indices of the model's stems that the recipe needs.
    fn of(&self) -> &[usize] {
        match self {
            StemRecipe::Own(index) => std::slice::from_ref(index),
            StemRecipe::Sum(indexes) | StemRecipe::Minus(indexes) => indexes,
        }
    }
}

/// The requested stems, from the model's stems and the mixture, which may be empty if no recipe needs it.
pub(super) fn apply(recipes: &[StemRecipe], mut own: Vec<Stereo>, mix: &Stereo) -> Vec<Stereo> {
    let mut stems: Vec<Stereo> = recipes.iter().map(|recipe| combine(recipe, &own, mix)).collect();
    // Stems of the model are moved, not copied.
    for (at, recipe) in recipes.iter().enumerate() {
        let StemRecipe::Own(index) = recipe else { continue };
        stems[at] = match recipes[..at].iter().position(|before| before == recipe) {
            Some(before) => stems[before].clone(),
            None => own.get_mut(*index).map(std::mem::take).unwrap_or_default(),
        };
    }
    stems
}

/// A stem that is a combination of others; empty for a stem of the model.
fn combine(recipe: &StemRecipe, own: &[Stereo], mix: &Stereo) -> Stereo {
    match recipe {
        StemRecipe::Own(_) => Stereo::new(),
        StemRecipe::Sum(indexes) => {
            let mut stems = indexes.iter().filter_map(|&index| own.get(index));
            let first = stems.next().cloned().unwrap_or_default();
            stems.fold(first, |total, other| combined(total, other, |a, b| a + b))
        }
        StemRecipe::Minus(indexes) => {
            let stems = indexes.iter().filter_map(|&index| own.get(index));
            stems.fold(mix.clone(), |rest, stem| combined(rest, stem, |a, b| a - b))
        }
    }
}

fn combined(mut one: Stereo, other: &Stereo, operation: impl Fn(f32, f32) -> f32) -> Stereo {
    for (plane, other) in one.planes_mut().into_iter().zip(other.planes()) {
        for (sample, other) in plane.iter_mut().zip(other) {
            *sample = operation(*sample, *other);
        }
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<StemName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[track_caller]
    fn check(
        wanted: &[&str],
        own: &[&str],
        accompaniment: Accompaniment,
        expected: Option<&[StemRecipe]>,
    ) {
        let found = recipes(&names(wanted), &names(own), accompaniment);
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn accompaniment_is_all_but_the_vocals() {
        use Accompaniment::{Minus, Sum};
        let four = ["drums", "bass", "other", "vocals"];
        check(&["vocals", "drums"], &four, Sum, Some(&[StemRecipe::Own(3), StemRecipe::Own(0)]));
        check(&["accompaniment"], &four, Sum, Some(&[StemRecipe::Sum(vec![0, 1, 2])]));
        check(
            &["accompaniment", "vocals"],
            &four,
            Minus,
            Some(&[StemRecipe::Minus(vec![3]), StemRecipe::Own(3)]),
        );
        check(&["accompaniment"], &["vocals", "accompaniment"], Sum, Some(&[StemRecipe::Own(1)]));
        check(
            &["accompaniment"],
            &["vocals", "accompaniment"],
            Minus,
            Some(&[StemRecipe::Minus(vec![0])]),
        );
        check(&["accompaniment"], &["accompaniment"], Minus, Some(&[StemRecipe::Own(0)]));
        check(&["no_vocals"], &["vocals", "accompaniment"], Sum, Some(&[StemRecipe::Own(1)]));
        check(&["accompaniment"], &["vocals"], Sum, Some(&[StemRecipe::Minus(vec![0])]));
        check(&["accompaniment"], &["drums"], Sum, None);
        check(&["accompaniment"], &["drums"], Minus, None);
        check(&["piano"], &four, Minus, None);
    }

    #[test]
    fn everything_but_a_stem_is_made_from_any_stem() {
        use Accompaniment::{Minus, Sum};
        let four = ["drums", "bass", "other", "vocals"];
        check(&["no_bass"], &four, Sum, Some(&[StemRecipe::Sum(vec![0, 2, 3])]));
        check(
            &["no_bass", "bass"],
            &four,
            Minus,
            Some(&[StemRecipe::Minus(vec![1]), StemRecipe::Own(1)]),
        );
        check(&["no_vocals"], &four, Sum, Some(&[StemRecipe::Sum(vec![0, 1, 2])]));
        check(&["no_drums"], &["drums", "no_drums"], Sum, Some(&[StemRecipe::Own(1)]));
        check(&["no_piano"], &four, Sum, None);
        check(&["no_accompaniment"], &four, Minus, None);
    }

    #[test]
    fn vocals_are_lead_and_backing_vocals() {
        use Accompaniment::{Minus, Sum};
        let own = ["lead_vocals", "backing_vocals", "drums", "other"];
        check(&["vocals"], &own, Sum, Some(&[StemRecipe::Sum(vec![0, 1])]));
        check(&["accompaniment"], &own, Sum, Some(&[StemRecipe::Sum(vec![2, 3])]));
        check(&["accompaniment"], &own, Minus, Some(&[StemRecipe::Minus(vec![0, 1])]));
        check(&["no_lead_vocals"], &own, Sum, Some(&[StemRecipe::Sum(vec![1, 2, 3])]));
        check(&["no_vocals"], &own[..2], Sum, Some(&[StemRecipe::Minus(vec![0, 1])]));
        check(&["vocals"], &own[..1], Sum, None);
        check(&["vocals"], &["vocals", "lead_vocals"], Sum, Some(&[StemRecipe::Own(0)]));
    }

    #[test]
    fn only_stems_that_recipes_need_are_wanted() {
        assert_eq!(wanted(&[StemRecipe::Own(3)], 4), [false, false, false, true]);
        assert_eq!(wanted(&[StemRecipe::Minus(vec![1])], 4), [false, true, false, false]);
        assert_eq!(
            wanted(&[StemRecipe::Sum(vec![0, 2]), StemRecipe::Own(2)], 4),
            [true, false, true, false]
        );
    }

    #[test]
    fn sums_and_differences_are_taken_sample_by_sample() {
        let stem = |value: f32| Stereo::from_planes(vec![value, 1.0], vec![0.0, value]).unwrap();
        let own = [stem(1.0), stem(9.0), stem(2.0)];
        let recipes = [
            StemRecipe::Own(2),
            StemRecipe::Sum(vec![0, 2]),
            StemRecipe::Minus(vec![1]),
            StemRecipe::Own(2),
        ];
        let mut stems = apply(&recipes, own.to_vec(), &stem(4.0));
        assert_eq!((stems.remove(0), stems.pop()), (stem(2.0), Some(stem(2.0))));
        assert_eq!(stems[0], Stereo::from_planes(vec![3.0, 2.0], vec![0.0, 3.0]).unwrap());
        assert_eq!(stems[1], Stereo::from_planes(vec![-5.0, 0.0], vec![0.0, -5.0]).unwrap());
    }
}
