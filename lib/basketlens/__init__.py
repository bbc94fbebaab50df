"""BasketLens: product associations from retail receipts and product names, on Spark."""

from typing import Final

__version__: Final = "0.1.0"
