"""Spends on DBOS: a workflow of two durable steps, reserve and settle, on one budget row.

Each step is a transaction that holds the budget's row and DBOS's own checkpoint. Usage:
dbos_spend.py DATABASE_URL SECONDS CALLERS BOUND COST; ends with one line of JSON.
"""

import json
import logging
import math
import sys
import threading
import time

import sqlalchemy as sa
from dbos import DBOS, SetWorkflowID, SQLAlchemyDatasource

URL, SECONDS, CALLERS = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
BOUND, COST = int(sys.argv[4]), int(sys.argv[5])
WARM = 0.5

ALCHEMY = URL.replace("postgres://", "postgresql+psycopg://", 1)
pool = {"pool_size": CALLERS, "max_overflow": 0}
DBOS(
    config={
        "name": "spend",
        "system_database_url": ALCHEMY,
        "sys_db_pool_size": CALLERS,
        "log_level": "ERROR",
    }
)
source = SQLAlchemyDatasource.create(ALCHEMY, engine_kwargs=pool)

with source.engine.begin() as connection:
    connection.execute(
        sa.text(
            "CREATE TABLE budget (id int PRIMARY KEY, limit_cost bigint, spent bigint, reserved bigint)"
        )
    )
    connection.execute(sa.text("INSERT INTO budget VALUES (1, 1125899906842624, 0, 0)"))


@source.transaction(isolation_level="READ COMMITTED")
def reserve() -> bool:
    row = source.sql_session().execute(
        sa.text(
            "UPDATE budget SET reserved = reserved + :bound"
            " WHERE id = 1 AND spent + reserved + :bound <= limit_cost"
        ),
        {"bound": BOUND},
    )
    return row.rowcount == 1


@source.transaction(isolation_level="READ COMMITTED")
def settle() -> None:
    source.sql_session().execute(
        sa.text("UPDATE budget SET reserved = reserved - :bound, spent = spent + :cost WHERE id = 1"),
        {"bound": BOUND, "cost": COST},
    )


@DBOS.workflow()
def spend() -> None:
    if not reserve():
        raise RuntimeError("the budget is exhausted")
    settle()


def caller(number: int, until: float, begin: float, times: list) -> None:
    n = 0
    while time.monotonic() < until:
        start = time.monotonic()
        with SetWorkflowID(f"op-{number}-{n}"):
            spend()
        end = time.monotonic()
        if begin <= end < until:
            times.append((end - start) * 1000)
        n += 1


def percentile(times: list, percent: int) -> float:
    return times[max(0, math.ceil(len(times) * percent / 100) - 1)] if times else 0.0


def main() -> None:
    logging.disable(logging.WARNING)
    DBOS.launch()
    times: list = []
    begin = time.monotonic() + WARM
    threads = [
        threading.Thread(target=caller, args=(c, begin + SECONDS, begin, times)) for c in range(CALLERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with source.engine.begin() as connection:
        over = connection.execute(sa.text("SELECT greatest(spent + reserved - limit_cost, 0) FROM budget"))
        overspend = over.scalar_one()
    times.sort()
    print(
        json.dumps(
            {
                "spends_per_s": len(times) / SECONDS,
                "p50_ms": percentile(times, 50),
                "p99_ms": percentile(times, 99),
                "overspend_micro_usd": overspend,
            }
        )
    )
    DBOS.destroy()


main()
