"""Every column name, once, with its type and unit.

Plain strings: a typo is an `AttributeError` at import, and no `.value` is needed.
"""

from typing import Final

# receipts
BASKET_ID: Final = "basket_id"  # string, one till receipt
PRODUCT_ID: Final = "product_id"  # string, the retailer's product code
CUSTOMER_ID: Final = "customer_id"  # string, raw and personal: never leaves the clean stage
CUSTOMER_KEY: Final = (
    "customer_key"  # string, 32 hex digits of HMAC-SHA256 of the customer id; null when unknown
)
STORE_ID: Final = "store_id"  # string
SOLD_AT: Final = "sold_at"  # timestamp, UTC
SOLD_ON: Final = "sold_on"  # date, day of sale in input.time_zone; null when unknown
QUANTITY: Final = "quantity"  # double, units sold; negative in a source row means a return
AMOUNT: Final = "amount"  # decimal(18,4), paid for the whole line, in the retailer's currency
UNIT_PRICE: Final = "unit_price"  # decimal(18,4), source only: amount = quantity x unit_price when no amount
LINE_ID: Final = "line_id"  # string, source only: the retailer's key of a receipt line
PROMOTION: Final = "promotion"  # string, promotion code of the line
RETURNED_BASKET_ID: Final = "returned_basket_id"  # string, source only: the basket that a return refers to
SOURCE_ROWS: Final = "source_rows"  # long, sale rows merged into this line

# rejects
SOURCE: Final = "source"  # string, file or table that the row came from
ROW_HASH: Final = "row_hash"  # string, 64 hex digits of SHA-256 over the mapped values, customer as its key
REASONS: Final = "reasons"  # array<string>, sorted; why the row is no line
RAW: Final = "raw"  # string, JSON of the mapped values as read; the customer id is replaced by its key
RUN_ID: Final = "run_id"  # string

# catalogue
PRODUCT_NAME: Final = "product_name"  # string, plain text that the encoder reads
CATEGORY: Final = "category"  # string
DEPARTMENT: Final = "department"  # string
BRAND: Final = "brand"  # string
UNIT_COST: Final = "unit_cost"  # double, cost of one unit in the retailer's currency
LABEL_SOURCE: Final = (
    "label_source"  # string, where the category comes from: "given" or "none"; in `labels` also "predicted"
)
NAME_HASH: Final = "name_hash"  # string, first 20 hex digits of SHA-256 of the plain name
IS_MERCHANDISE: Final = "is_merchandise"  # boolean, false for coupons, fuel, fees and the like

# items: what is mined and linked
ITEM_ID: Final = "item_id"  # string: product id, name hash, category or department, by level
LEVEL: Final = "level"  # string: product, name, category or department
ITEM_NAME: Final = "item_name"  # string
LINES: Final = "lines"  # long, receipt lines that sold the item; 0 = never sold

# embeddings
EMBEDDING: Final = (
    "embedding"  # array<float>, length = model width, L2 norm 1 if embed.normalize; null = it failed
)
MODEL_DIGEST: Final = (
    "model_digest"  # string, 64 hex digits of SHA-256 over the model's files and how names become vectors
)
ERROR: Final = "error"  # string, why a name has no vector; null = it has one

# attention
QUERY: Final = "query"  # array<float>, what an item asks by; the scale is in it
KEY: Final = "key"  # array<float>, what an item is found by; as long as the query
BIAS: Final = "bias"  # double, added to every score of the item as a neighbour
NEIGHBOR_ID: Final = "neighbor_id"  # string, item id
RANK: Final = "rank"  # int, 1 = strongest
SCORE: Final = "score"  # double, logit: scale * (q . k) + bias
ATTENTION: Final = "attention"  # double, 0..1, softmax of the score over all other items of the catalogue
LOG_SUM_EXP: Final = "log_sum_exp"  # double, log of the softmax denominator
TOP_MASS: Final = "top_mass"  # double, 0..1, share of attention that the kept neighbours hold
CONTEXT: Final = "context"  # array<float>, mean of the embeddings of all other items, by attention
ENTROPY: Final = "entropy"  # double, nats, of the whole attention row

# itemsets and rules
ITEMS: Final = "items"  # array<string>, item ids, ascending, distinct
SIZE: Final = "size"  # int, items in the set
COUNT: Final = "count"  # long, baskets that hold the whole set
SUPPORT: Final = "support"  # double, 0..1, share of baskets
CUSTOMERS: Final = "customers"  # long, distinct customers behind it; null = the lines have no customers
BASKET_REVENUE: Final = (
    "basket_revenue"  # double, currency of `amount`, paid in the set's baskets for everything
)
ITEM_REVENUE: Final = "item_revenue"  # double, currency of `amount`, paid in the set's baskets for its items
IS_CLOSED: Final = "is_closed"  # boolean, no larger mined set has the same count
IS_MAXIMAL: Final = "is_maximal"  # boolean, no larger mined set is frequent
ANTECEDENT: Final = "antecedent"  # array<string>, item ids, ascending
CONSEQUENT: Final = "consequent"  # array<string>, item ids, ascending
N_AB: Final = "n_ab"  # long, baskets with antecedent and consequent
N_A: Final = "n_a"  # long, baskets with the antecedent
N_B: Final = "n_b"  # long, baskets with the consequent
N: Final = "n"  # long, baskets in all
CONFIDENCE: Final = "confidence"  # double, 0..1, n_ab / n_a
LIFT: Final = "lift"  # double, >= 0, confidence / (n_b / n); 1 = independent
LEVERAGE: Final = "leverage"  # double, -0.25..0.25, support - support_a * support_b
CONVICTION: Final = "conviction"  # double, >= 0, (1 - support_b) / (1 - confidence); null = infinite
P_VALUE: Final = "p_value"  # double, 1e-308..1, Fisher's exact test, one-sided; 1e-308 = that or less
LOG10_P: Final = "log10_p"  # double, 0 or less, its decimal logarithm, which does not underflow
Q_VALUE: Final = "q_value"  # double, 1e-308..1, Benjamini-Hochberg over the rules searched of that size
LOG10_Q: Final = "log10_q"  # double, 0 or less, its decimal logarithm
HOLM_P: Final = "holm_p"  # double, 1e-308..1, Holm over the rules searched of that size
LOG10_HOLM_P: Final = "log10_holm_p"  # double, 0 or less, its decimal logarithm
LIFT_LOW: Final = "lift_low"  # double, lower end of the 95% interval of lift
LIFT_HIGH: Final = "lift_high"  # double, upper end
IMPROVEMENT: Final = "improvement"  # double, -1..1, confidence less the best one of a smaller antecedent
HOLDOUT_LIFT: Final = "holdout_lift"  # double, >= 0, lift on held-out baskets; null = none there
SHRINKAGE: Final = "shrinkage"  # double, >= 0, holdout_lift / lift; 1 = the rule held as it was found
STRATIFIED_LIFT: Final = "stratified_lift"  # double, >= 0, lift pooled over `mine.stratify`; null = off
EXTRA_REVENUE: Final = (
    "extra_revenue"  # double, currency of `amount`, for the consequent beyond chance, in all baskets
)
IS_REDUNDANT: Final = "is_redundant"  # boolean, a rule with a smaller antecedent is at least as confident

# rule_drift: the counts of `rules` in the earlier run (before) and in this one (after); null = not in its table
N_AB_BEFORE: Final = "n_ab_before"  # long, baskets
N_A_BEFORE: Final = "n_a_before"  # long, baskets
N_B_BEFORE: Final = "n_b_before"  # long, baskets
N_BEFORE: Final = "n_before"  # long, baskets
N_AB_AFTER: Final = "n_ab_after"  # long, baskets
N_A_AFTER: Final = "n_a_after"  # long, baskets
N_B_AFTER: Final = "n_b_after"  # long, baskets
N_AFTER: Final = "n_after"  # long, baskets
SUPPORT_BEFORE: Final = "support_before"  # double, 0..1
SUPPORT_AFTER: Final = "support_after"  # double, 0..1
SUPPORT_Z: Final = "support_z"  # double, standard errors between the two supports; null = not in both tables
SUPPORT_P_VALUE: Final = "support_p_value"  # double, 0..1, two-sided
CONFIDENCE_BEFORE: Final = "confidence_before"  # double, 0..1
CONFIDENCE_AFTER: Final = "confidence_after"  # double, 0..1
LIFT_BEFORE: Final = "lift_before"  # double, >= 0
LIFT_AFTER: Final = "lift_after"  # double, >= 0
Z: Final = (
    "z"  # double, standard errors between the two confidences; its p_value is two-sided; null = not in both
)

# evaluation
METHOD: Final = "method"  # string, what ranked; "a minus b" where two are compared on the same queries
TASK: Final = "task"  # string: baskets.* and pairs.* (validation or test), calibration.test, category_*
CLASS: Final = (
    "class"  # string, targets that a figure is of: all, warm, tail, cold, ...; chosen = a parameter
)
SEED: Final = "seed"  # int, of new products, hidden items, training and samples

# labels
GIVEN: Final = "given"  # string, category that the catalogue states; null = none
PREDICTED: Final = "predicted"  # string, category that the classifier gives the name; null = no embedding
PROBABILITY: Final = (
    "probability"  # double, 0..1, of the predicted category, by a model that did not see the name
)
IS_SUSPECT: Final = "is_suspect"  # boolean, the given category is probably wrong

# copurchases and recommendations
PLACE: Final = "place"  # int, 0, 1, ... in order of item_id: what `others` calls an item
OTHERS: Final = "others"  # array<int>, ascending places from the item's own on that it was bought with
TOGETHER: Final = "together"  # array<long>, 1,024ths of baskets with the item and each of `others`, large ones weighing less
IS_REPEAT: Final = "is_repeat"  # boolean, the customer has bought the item in another basket

# associations and cross-sell
STRENGTH: Final = "strength"  # double, 0..1, P(neighbor | item): counts shrunk toward attention
KIND: Final = "kind"  # string: complement, substitute, basket_only or text_only
NEIGHBOR_NAME: Final = "neighbor_name"  # string
COMPANION_ID: Final = "companion_id"  # string, item id
COMPANION_NAME: Final = "companion_name"  # string
EVIDENCE: Final = "evidence"  # string, one sentence for people

# runs
STAGE: Final = "stage"  # string
FINGERPRINT: Final = "fingerprint"  # string, 64 hex digits: inputs, settings, code and model of the stage
INPUTS: Final = "inputs"  # map<string,string>, input table or file set -> its version
ROWS_IN: Final = "rows_in"  # long, rows of the stage's inputs where known
ROWS_OUT: Final = "rows_out"  # map<string,long>, table -> rows
SECONDS: Final = "seconds"  # double, wall clock
STATUS: Final = "status"  # string: done, skipped or failed; in rule_drift born, died, moved or stable
STARTED_AT: Final = "started_at"  # timestamp, UTC
FIGURES: Final = "figures"  # string, JSON object of what the stage noted; null when it failed
MESSAGE: Final = "message"  # string, first line of the error; null unless failed

# data_quality
MEASURED_AT: Final = "measured_at"  # timestamp, UTC
SINCE: Final = "since"  # date, first day of the run's window; null = open
UNTIL: Final = "until"  # date, first day after it; null = open
METRIC: Final = "metric"  # string, a gate, a gate and a reason ("rejected_by_reason:duplicate"), or a figure
VALUE: Final = "value"  # double, what was measured, in the metric's unit; shares are 0..1
LOW: Final = (
    "low"  # double, least value that the gate lets through, or the 95% interval's lower end; null = none
)
HIGH: Final = "high"  # double, greatest, or upper end; null = none
ACTION: Final = "action"  # string: off, warn or fail; null = a figure without a gate
OUTCOME: Final = "outcome"  # string: ok, warn, fail, or info where nothing was judged
DETAIL: Final = "detail"  # string, one sentence for people; null for plain figures
