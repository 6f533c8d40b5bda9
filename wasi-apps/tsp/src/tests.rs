use super::run;

fn tsp(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    run(&words).unwrap_or_else(|error| panic!("tsp {line}: {error}"))
}

fn length(output: &str) -> f64 {
    let line = output.lines().find_map(|line| line.strip_prefix("length "));
    line.and_then(|length| length.parse().ok())
        .unwrap_or_else(|| panic!("no length in {output}"))
}

/// The cities of the tour, without the way back.
fn tour(output: &str) -> Vec<String> {
    let line = output.lines().find_map(|line| line.strip_prefix("tour "));
    let mut cities = Vec::new();
    for (index, part) in line.expect("a tour").split('"').enumerate() {
        if index % 2 == 1 {
            cities.push(part.to_owned());
        } else {
            cities.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    let last = cities.pop();
    assert_eq!(cities.first(), last.as_ref(), "it comes back: {output}");
    cities
}

#[test]
fn brute_force_finds_the_known_tours() {
    assert_eq!(
        tsp("rand 7 --seed 42"),
        "seed 42\ncities 7\nlength 3017.160\ntour c0 c4 c3 c2 c1 c5 c6 c0\n"
    );
    assert_eq!(
        tsp("rand 1 --seed 1"),
        "seed 1\ncities 1\nlength 0.000\ntour c0 c0\n"
    );
}

#[test]
fn the_others_find_what_brute_force_finds() {
    for seed in 0..20 {
        let best = length(&tsp(&format!("rand 8 --seed {seed}")));
        for method in ["climb", "anneal"] {
            let found = tsp(&format!(
                "rand 8 --seed {seed} --method {method} --steps 50000"
            ));
            assert_eq!(length(&found), best, "seed {seed}, {method}: {found}");
        }
    }
}

#[test]
fn few_cities_have_one_tour() {
    for count in 1..=3 {
        let expected = length(&tsp(&format!("rand {count} --seed 5")));
        for method in ["climb", "anneal"] {
            let found = tsp(&format!("rand {count} --seed 5 --method {method}"));
            assert_eq!(length(&found), expected, "{method}: {found}");
        }
    }
}

#[test]
fn every_city_of_a_set_is_visited_once() {
    for (set, count) in [("germany", 41), ("north-america", 84)] {
        let mut expected: Vec<String> = tsp(&format!("write {set}"))
            .lines()
            .skip(1)
            .map(|line| line.split(',').next().expect("a name").to_owned())
            .collect();
        expected.sort();
        assert_eq!(expected.len(), count);
        for method in ["climb", "anneal"] {
            let mut found = tour(&tsp(&format!(
                "tour {set} --method {method} --steps 3000 --seed 1"
            )));
            found.sort();
            assert_eq!(found, expected, "{set}, {method}");
        }
    }
}

#[test]
fn longer_searches_find_better_tours() {
    for method in ["climb", "anneal"] {
        let lengths = [200, 20_000, 2_000_000].map(|steps| {
            length(&tsp(&format!(
                "tour germany --method {method} --steps {steps} --seed 1"
            )))
        });
        assert!(
            lengths[0] > lengths[1] && lengths[1] > lengths[2],
            "{method}: {lengths:?}"
        );
    }
}

#[test]
fn distances_on_earth_are_great_circles() {
    // A quarter of the equator and from there to a pole are a quarter of a
    // great circle each: 10,007.557 km on the mean radius.
    let map = super::cities::parse("name,lat,lon\na,0,-170\nb,0,100\nc,90,0\n").expect("a map");
    let distances = super::Distances::new(&map);
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        assert_eq!(distances.between(from, to), 10_007_557);
    }
}

#[test]
fn a_time_ends_the_search() {
    for method in ["climb", "anneal"] {
        let found = tsp(&format!("tour germany --method {method} --time 20ms"));
        assert_eq!(tour(&found).len(), 41);
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (line, part) in [
        ("tour atlantis", "germany, north-america"),
        ("tour germany", "give 1 to 20 with --method brute"),
        ("rand 5 --steps 10", "choose a --method"),
        ("rand 5 --method magic", "not a method: magic"),
        ("rand 5 --method climb --time 3", "2s or 300ms"),
        ("rand 5 --seed", "needs a value"),
        ("rand x", "not a number of cities: x"),
        ("rand 5 --what 1", "no such option: --what"),
        ("rand 3000 --method climb", "give 1 to 2000"),
        ("dance", "usage"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let error = run(&words).expect_err(line);
        assert!(error.contains(part), "{line}: {error}");
    }
}
