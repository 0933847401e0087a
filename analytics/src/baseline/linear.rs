//! Weighted least squares of any number of columns, with what cannot be told apart named.
//!
//! Must never: give a coefficient to a column that is a sum of others.

/// A column whose variation the others explain to this share cannot be told apart.
const COLLINEAR: f64 = 1e-8;

/// One row: its weight, its value, and its columns in the order of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub weight: f64,
    pub y: f64,
    pub x: Vec<f64>,
}

/// The solution: y = base + Σ coefficient × column.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    pub base: f64,
    pub coefficients: Vec<f64>,
    /// Variance inflation factor of each column: 1 when it is independent of the others.
    pub inflation: Vec<f64>,
    /// Weighted sum of squared residuals, and of squares around the mean.
    pub sse: f64,
    pub sst: f64,
    pub weight: f64,
    /// Means of the columns.
    pub means: Vec<f64>,
    /// Inverse of the columns' sums of squares and products around their means.
    pub inverse: Vec<Vec<f64>>,
}

/// Why there is no solution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSolution {
    /// No row, or values that are not finite.
    Nothing,
    /// This column is constant, or a sum of those before it.
    Collinear(usize),
}

/// Solves for all columns at once.
pub fn solve(rows: &[Row], columns: usize) -> Result<Solution, NoSolution> {
    let weight: f64 = rows.iter().map(|r| r.weight).sum();
    if weight.is_nan() || weight <= 0.0 || rows.iter().any(|r| r.x.len() != columns) {
        return Err(NoSolution::Nothing);
    }
    let mean = |of: &dyn Fn(&Row) -> f64| rows.iter().map(|r| r.weight * of(r)).sum::<f64>() / weight;
    let y_mean = mean(&|r| r.y);
    let means: Vec<f64> = (0..columns).map(|j| mean(&|r| r.x[j])).collect();
    let mut squares = vec![vec![0.0; columns]; columns];
    let mut cross = vec![0.0; columns];
    let mut sst = 0.0;
    for r in rows {
        let y = r.y - y_mean;
        sst += r.weight * y * y;
        for i in 0..columns {
            let x = r.weight * (r.x[i] - means[i]);
            cross[i] += x * y;
            for j in 0..=i {
                squares[i][j] += x * (r.x[j] - means[j]);
            }
        }
    }
    if !sst.is_finite() || cross.iter().any(|v| !v.is_finite()) {
        return Err(NoSolution::Nothing);
    }
    let inverse = inverse(&squares)?;
    let coefficients: Vec<f64> =
        inverse.iter().map(|row| row.iter().zip(&cross).map(|(a, b)| a * b).sum()).collect();
    let base = y_mean - coefficients.iter().zip(&means).map(|(a, b)| a * b).sum::<f64>();
    let sse = rows
        .iter()
        .map(|r| {
            let fitted = base + coefficients.iter().zip(&r.x).map(|(a, b)| a * b).sum::<f64>();
            r.weight * (r.y - fitted).powi(2)
        })
        .sum();
    let inflation = (0..columns).map(|j| inverse[j][j] * squares[j][j]).collect();
    Ok(Solution { base, coefficients, inflation, sse, sst, weight, means, inverse })
}

/// Inverse of a symmetric matrix of which the lower half is given, by Cholesky after scaling its diagonal to 1.
fn inverse(lower: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, NoSolution> {
    let n = lower.len();
    let scale: Vec<f64> = (0..n).map(|i| lower[i][i].sqrt()).collect();
    if let Some(constant) = scale.iter().position(|s| !s.is_finite() || *s <= 0.0) {
        return Err(NoSolution::Collinear(constant));
    }
    let mut root = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| root[i][k] * root[j][k]).sum();
            let rest = lower[i][j] / (scale[i] * scale[j]) - known;
            if i == j {
                if rest < COLLINEAR {
                    return Err(NoSolution::Collinear(i));
                }
                root[i][i] = rest.sqrt();
            } else {
                root[i][j] = rest / root[j][j];
            }
        }
    }
    // Columns of the inverse, one after another, by forward and backward substitution.
    let mut inverse = vec![vec![0.0; n]; n];
    for column in 0..n {
        let mut v = vec![0.0; n];
        for i in 0..n {
            let known: f64 = (0..i).map(|k| root[i][k] * v[k]).sum();
            v[i] = (if i == column { 1.0 } else { 0.0 } - known) / root[i][i];
        }
        for i in (0..n).rev() {
            let known: f64 = (i + 1..n).map(|k| root[k][i] * v[k]).sum();
            v[i] = (v[i] - known) / root[i][i];
        }
        for i in 0..n {
            inverse[i][column] = v[i] / (scale[i] * scale[column]);
        }
    }
    Ok(inverse)
}

impl Solution {
    /// The inverse of the sums of squares and products of base and columns, not around their means: the base is first.
    #[must_use]
    pub fn with_base(&self) -> Vec<Vec<f64>> {
        let of_means: Vec<f64> =
            self.inverse.iter().map(|row| row.iter().zip(&self.means).map(|(v, m)| v * m).sum()).collect();
        let mean: f64 = of_means.iter().zip(&self.means).map(|(v, m)| v * m).sum();
        let base = std::iter::once(1.0 / self.weight + mean).chain(of_means.iter().map(|v| -v)).collect();
        let column = |(own, of_mean): (&Vec<f64>, &f64)| {
            std::iter::once(-of_mean).chain(own.iter().copied()).collect::<Vec<f64>>()
        };
        std::iter::once(base).chain(self.inverse.iter().zip(&of_means).map(column)).collect()
    }

    /// g'(X'WX)⁻¹g for a sum with weight `total` and column sums `sums`.
    #[must_use]
    pub fn leverage(&self, total: f64, sums: &[f64]) -> f64 {
        let d: Vec<f64> = sums.iter().zip(&self.means).map(|(s, m)| s - total * m).collect();
        let of_slopes: f64 = self
            .inverse
            .iter()
            .zip(&d)
            .map(|(row, a)| a * row.iter().zip(&d).map(|(v, b)| v * b).sum::<f64>())
            .sum();
        total * total / self.weight + of_slopes.max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(list: &[(f64, [f64; 2])]) -> Vec<Row> {
        list.iter().map(|(y, x)| Row { weight: 1.0, y: *y, x: x.to_vec() }).collect()
    }

    #[test]
    fn a_plane_is_found_and_its_columns_are_independent() {
        let law = |a: f64, b: f64| 3.0 + 2.0 * a - 0.5 * b;
        let points = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];
        let list: Vec<(f64, [f64; 2])> = points.iter().map(|p| (law(p[0], p[1]), *p)).collect();
        let s = solve(&rows(&list), 2).unwrap();
        assert!((s.base - 3.0).abs() < 1e-12 && (s.coefficients[1] + 0.5).abs() < 1e-12);
        assert!(s.sse < 1e-20 && s.inflation.iter().all(|v| (v - 1.0).abs() < 1e-12), "{s:?}");
        // Variance of the mean of four points is a quarter, and at a corner three quarters.
        assert!((s.leverage(1.0, &[0.5, 0.5]) - 0.25).abs() < 1e-12);
        assert!((s.leverage(1.0, &[1.0, 1.0]) - 0.75).abs() < 1e-12);
        // The same in one matrix, base first.
        let all = s.with_base();
        for g in [[1.0, 0.5, 0.5], [1.0, 1.0, 1.0], [4.0, 1.0, 3.0]] {
            let row = |of: &Vec<f64>| of.iter().zip(&g).map(|(v, x)| v * x).sum::<f64>();
            let whole: f64 = all.iter().zip(&g).map(|(of, x)| x * row(of)).sum();
            assert!((whole - s.leverage(g[0], &g[1..])).abs() < 1e-12, "{all:?}");
        }
    }

    #[test]
    fn what_cannot_be_told_apart_is_named() {
        let double = [(1.0, [1.0, 2.0]), (2.0, [2.0, 4.0]), (4.0, [3.0, 6.0])];
        assert_eq!(solve(&rows(&double), 2), Err(NoSolution::Collinear(1)));
        let constant = [(1.0, [5.0, 2.0]), (2.0, [5.0, 4.0]), (4.0, [5.0, 7.0])];
        assert_eq!(solve(&rows(&constant), 2), Err(NoSolution::Collinear(0)));
        assert_eq!(solve(&[], 1), Err(NoSolution::Nothing));
        assert_eq!(solve(&rows(&[(f64::NAN, [1.0, 2.0]), (1.0, [2.0, 1.0])]), 2), Err(NoSolution::Nothing));
    }
}
