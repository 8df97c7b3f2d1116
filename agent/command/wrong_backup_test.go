package command

// wrongBackupLines go on with wrongLines. The input of restore is empty.
const wrongBackupLines = `
# backup, restore
backup nosuch --output /nowhere/x         => 20 App nosuch does not exist
backup hello nosuch                       => 20 App nosuch does not exist
backup HELLO                              => App name "HELLO" is not valid
backup ../hello                           => "../hello" is not an app; to write to a file: --output FILE
backup backup.tar.gz                      => "backup.tar.gz" is not an app; to write to a file: --output FILE
backup hello /tmp/x                       => "/tmp/x" is not an app; to write to a file: --output FILE
backup ""                                 => Please specify an app to run the command on
backup hello ""                           => App name "" is not valid
backup "\x1b[31mhello"                    => App name "\x1b[31mhello" is not valid
backup --image                            => Invalid flag --image for backup, valid flags: --app, --force, --images, --no-wait, --output, --quiet, --trace
backup --images=perhaps                   => Invalid value "perhaps" for --images
backup --output                           => --output needs a value
backup --output ""                        => --output needs a file name
backup -o                                 => --output needs a value
backup --output /                         => Cannot write /: it exists and is not a regular file
backup --output / --force                 => Cannot write /: it exists and is not a regular file
backup --output /dev/null --force         => Cannot write /dev/null: it exists and is not a regular file
backup --output /etc/passwd               => Cannot write /etc/passwd: it already exists; --force replaces it
backup --output /nowhere/x                => Cannot write /nowhere/x as the owner of
backup --global                           => Invalid flag --global for backup
backup --all                              => Invalid flag --all for backup
backup:create                             => ${"\x60backup:create\x60 is not a dokku command."}
--app nosuch backup                       => 20 App nosuch does not exist
restore                                   => cannot restore the backup, nothing has changed: it is empty
restore --force                           => cannot restore the backup, nothing has changed: it is empty
restore hello                             => cannot restore the backup, nothing has changed: it is empty
restore backup.tar.gz                     => "backup.tar.gz" is not an app; to read a file: --input FILE
restore /var/backups/x                    => "/var/backups/x" is not an app; to read a file: --input FILE
restore HELLO                             => App name "HELLO" is not valid
restore ""                                => Please specify an app to run the command on
restore --input                           => --input needs a value
restore --input ""                        => --input needs a file name
restore --input /nowhere/x                => Cannot read /nowhere/x: no such file or directory
restore --input /etc/passwd               => cannot restore the backup, nothing has changed: it is not a backup that dokku has made
restore --input /                         => cannot restore the backup, nothing has changed:
restore --output x                        => Invalid flag --output for restore, valid flags: --app, --force, --input, --no-wait, --quiet, --trace
restore --images                          => Invalid flag --images for restore
restor                                    => ${"\x60restor\x60 is not a dokku command."}
`
