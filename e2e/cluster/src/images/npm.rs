//! Command lines from npm as layers of images.
//!
//! Each folder under `npm/` names one package and locks all that comes with it by digest. npm fetches exactly that and
//! runs nothing of it; the parts that an image needs become one layer, kept under the hash of its lock, so that an
//! unchanged one is fetched once. What is taken are the native programs: Node.js is needed here, not in the images.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{File, Image, digest, layer};
use crate::{packages, paths, progress, run};

/// What npm reads of a folder, and what decides a layer.
const LOCKED: [&str; 2] = ["package.json", "package-lock.json"];
/// Change it to have every layer built anew.
const RECIPE: &str = "1";

/// What of a locked package goes into an image.
#[derive(Debug)]
pub(super) struct Package {
    /// Its folder under `npm/`.
    pub(super) name: &'static str,
    /// A file or folder below `node_modules`, and where it is put.
    pub(super) part: (&'static str, &'static str),
    /// A name on PATH, and the program it leads to; where the part itself is not on PATH.
    pub(super) link: Option<(&'static str, &'static str)>,
}

/// `base` with the package on top, as `golden-‹name›`.
pub(super) fn image(base: &Image, package: &Package) -> Result<Image> {
    let source = paths::npm_sources().join(package.name);
    let hash = hash(package, &source)?;
    let mut layers = base.layers.clone();
    layers.push(package_layer(package, &source, &hash)?);
    let name = format!("golden-{}", package.name);
    Ok(Image::new(&name, &format!("{} {hash}", base.hash), layers, base.start.clone()))
}

/// Fetches the package, unless it is there.
pub(super) fn fetched(package: &Package) -> Result<PathBuf> {
    let source = paths::npm_sources().join(package.name);
    package_layer(package, &source, &hash(package, &source)?)
}

/// Writes what an image would have of the package below `root`; the path there of its program.
pub(super) fn unpack(package: &Package, root: &Path) -> Result<PathBuf> {
    let layer = fetched(package)?;
    let file = fs::File::open(&layer).with_context(|| format!("cannot read {}", layer.display()))?;
    tar::Archive::new(std::io::BufReader::new(file))
        .unpack(root)
        .with_context(|| format!("cannot unpack {} to {}", layer.display(), root.display()))?;
    let (_, program) = package.link.unwrap_or(package.part);
    Ok(root.join(program.trim_start_matches('/')))
}

fn hash(package: &Package, source: &Path) -> Result<String> {
    let recipe = format!("{RECIPE} {package:?}");
    let locked = LOCKED.iter().map(|name| read(&source.join(name))).collect::<Result<Vec<_>>>()?;
    Ok(digest([recipe.as_bytes()].into_iter().chain(locked.iter().map(Vec::as_slice))))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The layer's tar, fetched and built first if need be. An interrupted build leaves nothing that could be taken for a
/// finished one, and two commands at once do not fetch twice.
fn package_layer(package: &Package, source: &Path, hash: &str) -> Result<PathBuf> {
    let name = package.name;
    let folder = paths::images()?.join("npm").join(name);
    let path = folder.join(format!("{hash}.tar"));
    if path.is_file() {
        return Ok(path);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let lock = fs::File::create(folder.join("lock"))?;
    lock.lock().with_context(|| format!("cannot wait for another fetch of {name}"))?;
    if path.is_file() {
        return Ok(path);
    }
    let modules = folder.join("partial");
    let _ = fs::remove_dir_all(&modules);
    progress::step(&format!("fetching {name} from npm: about 400 MB unpacked"), || fetch(source, &modules))?;
    let draft = folder.join("partial.tar");
    layer::write_to(&draft, &files(package, &modules.join("node_modules"))?)?;
    fs::remove_dir_all(&modules)?;
    forget_others(&folder)?;
    fs::rename(&draft, &path).with_context(|| format!("cannot move {} into place", draft.display()))?;
    Ok(path)
}

/// Installs what the lock says into `folder`. Scripts of packages are not run.
fn fetch(source: &Path, folder: &Path) -> Result<()> {
    packages::ensure_npm().context("agents' command lines come from npm")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for name in LOCKED {
        fs::copy(source.join(name), folder.join(name)).with_context(|| format!("cannot copy {name}"))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
    run::run(&mut npm)
}

/// The layer's files, by path: the same lock makes the same layer.
fn files(package: &Package, modules: &Path) -> Result<Vec<File>> {
    let (part, place) = package.part;
    let mut files = Vec::new();
    add(&modules.join(part), place, &mut files).with_context(|| {
        format!("npm did not bring {part}: compare npm/{} with what it says", package.name)
    })?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.extend(package.link.map(|(link, target)| File::link(link, target)));
    Ok(files)
}

fn add(from: &Path, place: &str, files: &mut Vec<File>) -> Result<()> {
    let found = fs::symlink_metadata(from).with_context(|| format!("there is no {}", from.display()))?;
    if found.is_dir() {
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            let name =
                name.to_str().with_context(|| format!("{} is no name for an image", name.display()))?;
            add(&from.join(name), &format!("{place}/{name}"), files)?;
        }
        return Ok(());
    }
    ensure!(found.is_file(), "{} is neither file nor folder", from.display());
    let runs = found.permissions().mode() & 0o111 != 0;
    files.push(if runs { File::program(place, from) } else { File::copy(place, from) });
    Ok(())
}

/// Layers of earlier locks go: each has hundreds of megabytes.
fn forget_others(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let tar = path.extension().is_some_and(|e| e == "tar");
        if tar && !path.ends_with("partial.tar") {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Content;
    use super::*;
    use crate::images::catalogue::{CLAUDE_CODE, CODEX};

    #[test]
    fn every_package_is_locked_by_digest_and_names_no_registry() {
        for package in [&CLAUDE_CODE, &CODEX] {
            let source = paths::npm_sources().join(package.name);
            let lock: serde_json::Value =
                serde_json::from_slice(&read(&source.join("package-lock.json")).unwrap()).unwrap();
            let packages = lock["packages"].as_object().unwrap();
            let wanted = packages[""]["dependencies"].as_object().unwrap();
            for (name, version) in wanted {
                assert_eq!(packages[&format!("node_modules/{name}")]["version"], *version, "{name} is exact");
            }
            for (name, entry) in packages.iter().filter(|(name, _)| !name.is_empty()) {
                assert!(entry["integrity"].as_str().is_some_and(|i| i.starts_with("sha512-")), "{name}");
                assert!(entry.get("resolved").is_none(), "{name}: see npm's omit-lockfile-registry-resolved");
            }
            let module = package.part.0.split('/').take(2).collect::<Vec<_>>().join("/");
            assert!(packages.contains_key(&format!("node_modules/{module}")), "{module} is locked");
        }
    }

    #[test]
    fn a_part_is_taken_with_its_modes_in_one_order_and_what_is_missing_is_named() {
        let modules = std::env::temp_dir().join(format!("golden-npm-{}", std::process::id()));
        fs::create_dir_all(modules.join("a/bin")).unwrap();
        fs::write(modules.join("a/readme"), "r").unwrap();
        fs::write(modules.join("a/bin/run"), "x").unwrap();
        fs::set_permissions(modules.join("a/bin/run"), fs::Permissions::from_mode(0o755)).unwrap();
        let package = Package {
            name: "a",
            part: ("a", "/opt/a"),
            link: Some(("/usr/local/bin/run", "/opt/a/bin/run")),
        };
        let taken = files(&package, &modules).unwrap();
        let seen: Vec<_> = taken.iter().map(|f| (f.path.as_str(), f.mode)).collect();
        assert_eq!(
            seen,
            [("/opt/a/bin/run", 0o755), ("/opt/a/readme", 0o644), ("/usr/local/bin/run", 0o777)]
        );
        assert!(matches!(&taken[2].content, Content::Link(to) if to == "/opt/a/bin/run"));
        let absent = Package { part: ("b", "/opt/b"), ..package };
        let error = format!("{:#}", files(&absent, &modules).unwrap_err());
        assert!(error.contains("npm did not bring b"), "{error}");
        std::os::unix::fs::symlink("/etc/passwd", modules.join("a/planted")).unwrap();
        let package = Package { part: ("a", "/opt/a"), ..absent };
        assert!(files(&package, &modules).is_err(), "a link leads out of the package");
        fs::remove_dir_all(&modules).unwrap();
    }

    #[test]
    fn another_lock_or_another_place_is_another_layer() {
        let hash = |package: &Package, lock: &str| hash(package, &paths::npm_sources().join(lock)).unwrap();
        let moved =
            Package { part: ("@anthropic-ai/claude-code-linux-x64/claude", "/claude"), ..CLAUDE_CODE };
        let first = hash(&CLAUDE_CODE, "claude-code");
        assert_eq!(first, hash(&CLAUDE_CODE, "claude-code"));
        assert!(first != hash(&moved, "claude-code") && first != hash(&CLAUDE_CODE, "codex"));
    }
}
