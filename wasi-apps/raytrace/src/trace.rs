//! Where a ray goes and what it sees.

use crate::scene::{FLOOR, FLOOR_MIRROR, Scene};
use crate::vector::Vector;

/// How often a ray is mirrored before it is let go.
const MIRRORS_MAX: u32 = 5;
/// A surface doesn't hit itself.
const NEAR: f64 = 1e-6;
/// The light that comes from everywhere.
const AMBIENT: f64 = 0.22;

struct Hit {
    at: Vector,
    normal: Vector,
    colour: Vector,
    mirror: f64,
}

/// The colour that comes along a ray.
pub fn colour(scene: &Scene, from: Vector, direction: Vector) -> Vector {
    let (mut from, mut direction) = (from, direction);
    let mut seen = Vector(0.0, 0.0, 0.0);
    let mut left = Vector(1.0, 1.0, 1.0);
    for _ in 0..MIRRORS_MAX {
        let Some(hit) = nearest(scene, from, direction) else {
            return seen + left.filter(scene.sky(direction));
        };
        let above = hit.at + hit.normal * NEAR;
        let lit = hit.normal.dot(scene.light).max(0.0);
        let lit = if lit > 0.0 && shaded(scene, above) {
            0.0
        } else {
            lit
        };
        let own = hit.colour * (AMBIENT + (1.0 - AMBIENT) * lit);
        seen = seen + left.filter(own * (1.0 - hit.mirror));
        left = left.filter(hit.colour * 0.35 + Vector(0.65, 0.65, 0.65)) * hit.mirror;
        direction = direction.mirrored(hit.normal);
        from = above;
    }
    seen
}

fn nearest(scene: &Scene, from: Vector, direction: Vector) -> Option<Hit> {
    let mut best = f64::INFINITY;
    let mut hit = None;
    for (index, sphere) in scene.spheres.iter().enumerate() {
        if let Some(distance) = distance(from, direction, sphere.centre, sphere.radius)
            && distance < best
        {
            best = distance;
            hit = Some(index);
        }
    }
    // The floor is at the height 0.
    if direction.1 < 0.0 {
        let distance = -from.1 / direction.1;
        if distance > NEAR && distance < best {
            let at = from + direction * distance;
            let odd = (at.0.floor() as i64 + at.2.floor() as i64) & 1;
            return Some(Hit {
                at,
                normal: Vector(0.0, 1.0, 0.0),
                colour: haze(FLOOR[odd as usize], distance),
                mirror: FLOOR_MIRROR,
            });
        }
    }
    let sphere = scene.spheres[hit?];
    let at = from + direction * best;
    Some(Hit {
        at,
        normal: (at - sphere.centre) * (1.0 / sphere.radius),
        colour: sphere.colour,
        mirror: sphere.mirror,
    })
}

/// What is far fades.
fn haze(colour: Vector, distance: f64) -> Vector {
    let clear = 1.0 / (1.0 + distance * distance * 0.0006);
    colour * clear + Vector(0.80, 0.72, 0.64) * (1.0 - clear)
}

/// Whether something stands between a point and the light.
fn shaded(scene: &Scene, from: Vector) -> bool {
    let blocks = |sphere: &crate::scene::Sphere| {
        distance(from, scene.light, sphere.centre, sphere.radius).is_some()
    };
    scene.spheres.iter().any(blocks)
}

/// How far a ray goes until it meets a sphere.
fn distance(from: Vector, direction: Vector, centre: Vector, radius: f64) -> Option<f64> {
    let to = from - centre;
    let half = to.dot(direction);
    let inside = half * half - to.dot(to) + radius * radius;
    if inside < 0.0 {
        return None;
    }
    let root = inside.sqrt();
    [-half - root, -half + root]
        .into_iter()
        .find(|distance| *distance > NEAR)
}
