"""spark-submit jobs/finetune.py --env NAME [--set section.key=value ...] [--run-id ID]."""

from basketlens.entry import main

if __name__ == "__main__":
    main("finetune")  # exit 0 done; 2, 3 or 4 with one message; 1 with a traceback: our bug
