"""Where data sets come from: for the help of commands, and for whoever lacks a file."""

VOC_URL = 'http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar'
SBD_URL = (
    'https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/'
    'benchmark.tgz'
)
COCO_URLS = (
    'http://images.cocodataset.org/zips/train2014.zip, '
    'http://images.cocodataset.org/zips/val2014.zip and '
    'http://images.cocodataset.org/annotations/annotations_trainval2014.zip'
)
