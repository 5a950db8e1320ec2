import torch

from mmseg_excel.ops.row_sums import row_sums


def test_each_sum_is_added_up():
    values = torch.tensor([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    rows, weights = torch.tensor([[0, 2], [1, 1]]), torch.tensor([[1.0, 0.5], [2.0, -1.0]])
    assert row_sums(values, rows, weights).tolist() == [[3.0, 30.0], [2.0, 20.0]]
    starts = torch.tensor([0, 0, 3, 4])
    sums = row_sums(values, rows.flatten(), weights.flatten(), starts)
    assert sums.tolist() == [[0.0, 0.0], [7.0, 70.0], [-2.0, -20.0]]
