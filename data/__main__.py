"""Command line: ``python -m data list``."""

import argparse

from data import DATASETS


def list_datasets():
    """One block a data set: what would be read now, what is bundled, where a download comes from, the licence."""
    for dataset in DATASETS.values():
        status, where = dataset.status()
        print(f"{dataset.name:8} {dataset.title}")
        print(f"{'':8}   now        {status}: {where}")
        print(f"{'':8}   bundled    {dataset.bundled}")
        print(f"{'':8}   live       {dataset.live}")
        print(f"{'':8}   licence    {dataset.licence}")


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m data", description="Data sets of the notebooks.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what is present, where it comes from, its licence")
    parser.parse_args(arguments)
    list_datasets()


if __name__ == "__main__":
    main()
