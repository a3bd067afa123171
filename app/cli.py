"""The command line, `tessera COMMAND`, which uses the same services as the web.

Each command imports what it needs only when it runs, so that `tessera --help` answers at once.
"""

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from app.settings import Settings

app = typer.Typer(
    name="tessera",
    help="A workbench for what self-supervised networks learn.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

checkpoint_app = typer.Typer(no_args_is_help=True, help="Bring a checkpoint from elsewhere.")
app.add_typer(checkpoint_app, name="checkpoint")

Workspace = Annotated[
    Path | None,
    typer.Option("--workspace", "-w", help="Folder that holds everything (else TESSERA_WORKSPACE, else ./workspace)."),
]
Host = Annotated[str | None, typer.Option(help="Address to listen on; beyond loopback a token is required.")]
Port = Annotated[int | None, typer.Option(help="Port; the next free one where it is taken.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Open = Annotated[bool | None, typer.Option("--open/--no-open", help="Open a browser.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON value on standard output.")]
Detach = Annotated[bool, typer.Option("--detach", help="Submit and return; a server or `tessera worker` runs it.")]
Again = Annotated[bool, typer.Option("--again", help="Run anew although an identical job is there.")]


def _settings(**chosen: Any) -> "Settings":
    from app.settings import Settings

    return Settings(**{name: value for name, value in chosen.items() if value is not None})


def _log() -> None:
    """Write the log to standard error, for commands that run long."""
    import logging

    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", datefmt="%H:%M:%S")
    for ours in ("tessera", "app"):
        logging.getLogger(ours).setLevel(logging.INFO)


@app.command()
def serve(
    workspace: Workspace = None, host: Host = None, port: Port = None, device: Device = None, open_browser: Open = None
) -> None:
    """Serve a workspace to the browser and by REST, and run its jobs."""
    from app.serving import serve as run

    _log()
    run(_settings(workspace=workspace, host=host, port=port, device=device, open_browser=open_browser))


@app.command()
def demo(
    workspace: Workspace = None, host: Host = None, port: Port = None, device: Device = None, open_browser: Open = None
) -> None:
    """Serve a workspace that has the sample photos, a trained checkpoint and its scan."""
    from app.console.demo import browser_wanted, prepare
    from app.serving import running_url
    from app.serving import serve as run

    _log()
    wanted = browser_wanted() if open_browser is None else open_browser
    settings = _settings(workspace=workspace, host=host, port=port, device=device, open_browser=wanted)
    if running_url(settings.workspace) is None:
        prepare(settings)
    run(settings)


@app.command()
def worker(workspace: Workspace = None, device: Device = None) -> None:
    """Run the jobs of a workspace without serving it."""
    from app.jobs.supervisor import supervise

    _log()
    raise typer.Exit(supervise(_settings(workspace=workspace, device=device)))


@app.command("import")
def import_images(
    source: Annotated[str, typer.Argument(help="A folder, a CSV or Parquet manifest, or: sample, countables.")],
    name: Annotated[str | None, typer.Option(help="Name of the gallery (else that of the folder or file).")] = None,
    to: Annotated[str | None, typer.Option(help="Add to this gallery instead of making one.")] = None,
    labels: Annotated[str, typer.Option(help="auto, folders or none: what folder names mean.")] = "auto",
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Of countables: --set seed=7, scenes, sweeps=false, split=train.")
    ] = None,
    workspace: Workspace = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Import images into a gallery: decoded once, oriented, resized, with a thumbnail."""
    from app.console.commands import import_images as run
    from app.console.commands import where

    settings = _settings(workspace=workspace)
    found = where(source, labels=labels, changes=change or ())
    raise typer.Exit(run(settings, found, name=name, to=to, detach=detach, as_json=as_json))


@app.command()
def train(
    gallery: Annotated[str, typer.Argument(help="Slug of the gallery to learn from.")],
    task: Annotated[str, typer.Option(help="The pretext task.")] = "counting",
    recipe: Annotated[str, typer.Option(help="small (160 px photos, two CPU cores) or paper.")] = "small",
    change: Annotated[list[str] | None, typer.Option("--set", help="A setting of the recipe: --set steps=500.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same weights, on the same machine type.")] = 0,
    workspace: Workspace = None,
    device: Device = None,
    detach: Detach = False,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Train a network on a pretext task. Ctrl-C stops it; the same command continues where it stopped."""
    from app.console.commands import overrides

    spec = {"gallery": gallery, "task": task, "recipe": recipe, "config": overrides(change or []), "seed": seed}
    _submit(_settings(workspace=workspace, device=device), "train", spec, detach=detach, again=again, as_json=as_json)


@app.command()
def scan(
    checkpoint: Annotated[str, typer.Argument(help="Slug of the checkpoint.")],
    gallery: Annotated[str, typer.Argument(help="Slug of the gallery.")],
    layer: Annotated[list[str] | None, typer.Option(help="A layer to look at; all where none is named.")] = None,
    workspace: Workspace = None,
    device: Device = None,
    detach: Detach = False,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Scan a gallery with a checkpoint: what fires each unit, embeddings, counts."""
    spec = {"checkpoint": checkpoint, "gallery": gallery, **({"layers": layer} if layer else {})}
    _submit(_settings(workspace=workspace, device=device), "scan", spec, detach=detach, again=again, as_json=as_json)


@app.command()
def evaluate(
    checkpoint: Annotated[str, typer.Argument(help="Slug of the checkpoint.")],
    gallery: Annotated[str, typer.Argument(help="Slug of the gallery.")],
    images: Annotated[int, typer.Option(help="Images for the counting equation, at most.", min=2)] = 512,
    queries: Annotated[int, typer.Option(help="Labelled images whose neighbours vote, at most.", min=2)] = 1300,
    database: Annotated[int, typer.Option(help="Labelled images to search in, at most.", min=20)] = 3500,
    workspace: Workspace = None,
    device: Device = None,
    detach: Detach = False,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Measure on a gallery whether a checkpoint counts, beside random init, an averager and a constant."""
    amounts = {"images": images, "queries": queries, "database": database}
    spec = {"checkpoint": checkpoint, "gallery": gallery, **amounts}
    settings = _settings(workspace=workspace, device=device)
    _submit(settings, "evaluate", spec, detach=detach, again=again, as_json=as_json)


@app.command()
def probe(
    checkpoint: Annotated[str, typer.Argument(help="Slug of the checkpoint.")],
    gallery: Annotated[str, typer.Argument(help="Slug of a gallery with labels.")],
    layer: Annotated[list[str] | None, typer.Option(help="A layer to probe; all where none is named.")] = None,
    steps: Annotated[int, typer.Option(help="Steps of the linear classifiers; the paper takes 140,000.", min=1)] = 600,
    seed: Annotated[list[int] | None, typer.Option(help="A seed of the classifiers; at least three.")] = None,
    train: Annotated[int, typer.Option(help="Images to learn from, at most.", min=2)] = 5000,
    test: Annotated[int, typer.Option(help="Images to test on, at most.", min=2)] = 2000,
    views: Annotated[int, typer.Option(help="Crops of each image to learn from.", min=1)] = 2,
    side: Annotated[int | None, typer.Option(help="Pixels of a crop (else 227, or less for small images).")] = None,
    controls: Annotated[bool, typer.Option(help="Also random init, pixels, colours and HOG.")] = True,
    workspace: Workspace = None,
    device: Device = None,
    detach: Detach = False,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Measure every frozen layer by neighbours and linear classifiers, beside controls that need no learning."""
    named: dict[str, Any] = {**({"layers": layer} if layer else {}), **({"seeds": seed} if seed else {})}
    amounts = {"steps": steps, "train": train, "test": test, "views": views, "side": side, "controls": controls}
    spec = {"checkpoint": checkpoint, "gallery": gallery, **amounts, **named}
    _submit(_settings(workspace=workspace, device=device), "probe", spec, detach=detach, again=again, as_json=as_json)


@app.command()
def search(
    scan: Annotated[str, typer.Argument(help="Slug of the scan to search.")],
    image: Annotated[
        Path | None, typer.Argument(help="An image file; or give --row.", exists=True, dir_okay=False)
    ] = None,
    row: Annotated[int | None, typer.Option(help="A row of the gallery instead of a file.", min=0)] = None,
    layer: Annotated[
        str | None, typer.Option(help="A layer, pixels or colours (else the best measured layer).")
    ] = None,
    k: Annotated[
        int | None,
        typer.Option("--k", "-k", help="How many neighbours (else as on the page).", min=1, max=1000),
    ] = None,
    metric: Annotated[str, typer.Option(help="l2 or cosine.")] = "l2",
    workspace: Workspace = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Find the nearest images of a scan to a file or to one of its rows."""
    from app.console.commands import show_neighbours

    if (image is None) == (row is None):
        raise typer.BadParameter("give an image file or --row, one of the two")
    settings = _settings(workspace=workspace, device=device)
    show_neighbours(settings, scan, image, row, layer=layer, k=k, metric=metric, as_json=as_json)


@app.command()
def count(
    checkpoint: Annotated[str, typer.Argument(help="Slug of a checkpoint with a counting head.")],
    image: Annotated[Path, typer.Argument(help="An image file.", exists=True, dir_okay=False)],
    kernel: Annotated[str, typer.Option(help="How D downscales: area, linear, cubic or lanczos.")] = "area",
    workspace: Workspace = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Count an image whole and in four tiles, and compare."""
    from app.console.commands import show_count

    show_count(_settings(workspace=workspace, device=device), checkpoint, image, kernel=kernel, as_json=as_json)


@app.command()
def jobs(
    job: Annotated[int | None, typer.Argument(help="One job; all where it is left out.", min=1)] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Watch the job until it ends.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel the job.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Queue a failed or cancelled job again.")] = False,
    limit: Annotated[int, typer.Option(help="How many to list.", min=1, max=500)] = 20,
    workspace: Workspace = None,
    as_json: AsJson = False,
) -> None:
    """List the queue, or look at, watch, cancel or resume one job."""
    from app.console.commands import list_jobs, show_job

    settings = _settings(workspace=workspace)
    if job is None:
        if follow or cancel or resume:
            raise typer.BadParameter("name the job: tessera jobs 3 --cancel")
        list_jobs(settings, limit=limit, as_json=as_json)
    else:
        show_job(settings, job, follow=follow, cancel=cancel, resume=resume, as_json=as_json)


@checkpoint_app.command("add")
def add_checkpoint(
    file: Annotated[
        Path,
        typer.Argument(
            help="A file of weights (PyTorch, safetensors, NumPy, Caffe), or torchvision:resnet50.IMAGENET1K_V2."
        ),
    ],
    candidate: Annotated[str | None, typer.Option(help="Which weights, where the file has several sets.")] = None,
    architecture: Annotated[str | None, typer.Option(help="What they are, where that is not recognised.")] = None,
    preprocess: Annotated[str | None, typer.Option(help="Name of one of the preparations that fit.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the checkpoint (else that of the file).")] = None,
    accept_non_finite: Annotated[
        bool, typer.Option("--accept-non-finite", help="Register although weights are NaN or infinite.")
    ] = False,
    look: Annotated[bool, typer.Option("--look", help="Only say what is in the file.")] = False,
    workspace: Workspace = None,
    as_json: AsJson = False,
) -> None:
    """Look into a file of weights, say what it is and what was matched, and register it as a checkpoint."""
    from app.console.checkpoint_add import add_checkpoint as run
    from app.services.foreign.checkpoints import NewCheckpoint

    new = NewCheckpoint(
        inspection="",
        candidate=candidate,
        architecture=architecture,
        preprocess=preprocess,
        name=name,
        accept_non_finite=accept_non_finite,
    )
    run(_settings(workspace=workspace), file, new, look=look, as_json=as_json)


@app.command()
def doctor(
    workspace: Workspace = None,
    torch: Annotated[bool, typer.Option("--torch/--no-torch", help="Import torch too; takes seconds.")] = True,
    as_json: AsJson = False,
) -> None:
    """Check this machine, the libraries, and every file of the workspace. Ends with 1 where something is broken."""
    from dataclasses import asdict

    from app.console import terminal
    from app.console.doctor import examine

    results = []
    for check in examine(_settings(workspace=workspace), torch=torch):
        results.append(check)
        if not as_json:
            terminal.check(check)
    if as_json:
        terminal.data([asdict(check) for check in results])
    raise typer.Exit(any(check.status == "fail" for check in results))


def _submit(
    settings: "Settings", kind: str, spec: dict[str, Any], *, detach: bool, as_json: bool, again: bool = False
) -> None:
    from app.console.commands import submit

    raise typer.Exit(submit(settings, kind, spec, detach=detach, again=again, as_json=as_json))


def main() -> None:
    """Run the program; failures that a user can act on are printed in one line, without a traceback."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a letter shows its code instead
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        from app.console.commands import explain

        message = explain(error)
        if message is None:
            raise
        typer.secho(message, fg="red", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
