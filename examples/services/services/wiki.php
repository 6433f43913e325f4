<?php
$conf['title'] = 'Procedures';
$conf['license'] = '';
$conf['useacl'] = 0;
